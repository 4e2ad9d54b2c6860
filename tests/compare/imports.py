#!/usr/bin/env python3
"""Compares what ldctl and the reference import from other tools: each command in both, on inputs of
several kinds, in directories with the same files.

Where ldctl is meant to differ (docs/differences.md), the case says so: the results must differ then, and
in what both must hold.

usage: imports.py --ldctl PATH --reference PYTHON
PYTHON is an interpreter with je_load_density 0.0.79. Standard library only.
Exit status 1 if anything differs that should not, or is equal that should differ.
"""

import json
import pathlib
import sys
import tempfile

from commands import Reference, normal
from reports import Comparison, Ldctl, short
from support.script import options


def sampler(properties, arguments=(), name="s", more=""):
    """An HTTP sampler of JMeter."""
    values = "".join(f'<stringProp name="HTTPSampler.{key}">{value}</stringProp>' for key, value in properties.items())
    given = "".join(f'<elementProp name="" elementType="HTTPArgument"><stringProp name="Argument.name">{key}</stringProp>'
                    f'<stringProp name="Argument.value">{value}</stringProp></elementProp>' for key, value in arguments)
    return (f'<HTTPSamplerProxy testname="{name}">{values}<elementProp name="HTTPsampler.Arguments" elementType="Arguments">'
            f'<collectionProp name="Arguments.arguments">{given}</collectionProp></elementProp></HTTPSamplerProxy><hashTree>{more}</hashTree>')


def headers(**given):
    values = "".join(f'<elementProp name="" elementType="Header"><stringProp name="Header.name">{name}</stringProp>'
                     f'<stringProp name="Header.value">{value}</stringProp></elementProp>' for name, value in given.items())
    return f'<HeaderManager><collectionProp name="HeaderManager.headers">{values}</collectionProp></HeaderManager><hashTree/>'


def plan(*parts):
    return ('<?xml version="1.0" encoding="UTF-8"?><jmeterTestPlan version="1.2"><hashTree><TestPlan testname="p"/><hashTree>'
            + "".join(parts) + "</hashTree></hashTree></jmeterTestPlan>")


def operation(**members):
    return {"openapi": "3.0.0", "paths": {"/a": {"post": members}}}


def item(**request):
    return {"info": {}, "item": [{"name": "n", "request": {"method": "POST", "url": "http://h/a", **request}}]}


SPEC = {"openapi": "3.0.0", "servers": [{"url": "https://h.example/v1/"}], "paths": {
    "/items": {"get": {"operationId": "list", "responses": {"default": {}, "404": {}, "200": {}}},
               "post": {"responses": {"201": {}}}, "parameters": [], "x-note": {"a": 1}},
    "/items/{id}/parts/{part}": {"delete": {"responses": {"206": {}, "2XX": {}}}, "PUT": {"operationId": "five"}, "head": {}},
    "/none": None, "/odd": {"get": "x", "options": {"responses": [1]}}}}

SPEC_YAML = """openapi: 3.0.0
servers:
- url: https://h.example
paths:
  /items/{id}:
    get:
      operationId: one
      responses:
        200: {description: ok}
        '404': {description: none}
"""

COLLECTION = {"info": {"name": "c"}, "item": [
    {"name": "one", "request": {"method": "GET", "url": "https://h.example/a?b=1", "header": [
        {"key": "A", "value": "b"}, {"name": "C", "value": 5}, {"key": "D", "value": "x", "disabled": True}, "x"]}},
    {"name": "folder", "item": [
        {"name": "two", "request": {"method": "POST", "url": {"raw": "https://h.example/b"}, "body": {
            "mode": "raw", "raw": '{"a": [1, 2.5, null]}', "options": {"raw": {"language": "json"}}}}},
        {"name": "deeper", "item": [{"request": {"method": "PUT", "url": {"host": ["h", "example"], "path": ["c", "d"]},
                                                 "body": {"mode": "raw", "raw": "plain text"}}}]}]},
    {"name": "form", "request": {"method": "post", "url": "https://h.example/f", "header": [], "body": {
        "mode": "urlencoded", "urlencoded": [{"key": "a", "value": "b"}, {"key": "c", "value": "d", "disabled": True},
                                             {"key": "e"}]}}},
    {"name": "none", "request": {"method": "GET", "url": ""}}, {"name": "x"}, "odd",
    {"name": "no body", "request": {"url": "https://h.example/n", "body": {"mode": "none"}}}]}

SCRIPT = """import http from 'k6/http';
export default function () {
  const res = http.post("https://h.example/b", "x=1");
  check(res, { 'is 201': (r) => r.status === 201 });
  http.get('https://h.example/a');
  http.put('https://h.example/c', '{"a": 1}')
  http.del('https://h.example/d');
  http.request('PATCH', `https://h.example/e`);
  http.head('https://h.example/f')
}
"""

PLAN = plan(headers(Accept="a"), '<ThreadGroup testname="g"/>', "<hashTree>", headers(X="1", Accept="b"),
            sampler({"domain": "h.example", "protocol": "https", "port": "8443", "path": "a", "method": "GET"}),
            sampler({"domain": "h.example", "path": "/b?c=1", "method": "POST"}, [("k", "v &amp; w"), ("l", "")], "form"),
            sampler({"domain": "h.example", "method": "PUT"}, [("", "raw ${x} &lt;b&gt;")], "raw"),
            sampler({"path": "/relative"}), "</hashTree>")

FILES = {"api.json": json.dumps(SPEC), "api.yaml": SPEC_YAML, "API.YML": SPEC_YAML, "c.json": json.dumps(COLLECTION),
         "bom.json": "\ufeff{}", "script.js": SCRIPT, "plan.jmx": PLAN, "broken.json": "{", "empty.jmx": plan(),
         "own.jmx": plan('<ThreadGroup testname="g"/>', "<hashTree>",
                         sampler({"domain": "h", "path": "/a", "method": "GET"}, [("q", "x")], "q", headers(Own="1")),
                         "</hashTree>"),
         "disabled.jmx": plan(sampler({"domain": "h", "path": "/a"}).replace("<HTTPSamplerProxy", '<HTTPSamplerProxy enabled="false"'))}

# Equal in both.
EQUAL = [
    *[["LD_curl_to_task", [command]] for command in (
        "curl http://h/a", "curl 'http://h/a?b=c d' -H 'A: b' -H 'C: d: e' -H nocolon", "curl", "", "curl -X DELETE http://h/a",
        "curl --request PUT --header \"A: b\" --data x=1 http://h/a", "curl http://h/a -d a=1 -d b=2 --data-raw '@c'",
        "curl http://h/a --data-binary '{\"a\": [1, 2.5, {\"b\": null}]}'", "curl -X POST http://h/a -d '[1]'",
        "curl \\\n  -u ann:pw:x \\\n  --compressed \\\n  http://h/a\n", "curl -k -L http://h/a", "curl --insecure --location http://h/a",
        "curl -u ann http://h/a", "curl http://h/a --data-urlencode 'a=b c'", "curl 'http://h/a", "curl http://h/a -d 5",
        "curl http://h/a http://h/b", "curl http://h/żółć", "curl http://h/a -d x | jq .")],
    ["LD_load_openapi", ["api.json"]], ["LD_load_openapi", ["api.yaml"]], ["LD_load_openapi", {"file_path": "API.YML"}],
    ["LD_load_openapi", ["bom.json"]],
    *[["LD_openapi_to_tasks", arguments] for arguments in (
        [SPEC], [SPEC, "http://other/base/"], [SPEC, ""], {"spec": SPEC, "base_url": None}, [{}], [{"paths": {}}],
        [{"paths": {"/a": {"get": {}}}}], [{"servers": [], "paths": {"/a": {"trace": 1}}}],
        [{"servers": [{"description": "none"}], "paths": {"/{a}{b}": {"patch": {"responses": {"204": {}, "500": {}}}}}}])],
    ["LD_openapi_to_action_json", [SPEC]],
    ["LD_openapi_to_action_json", {"spec": SPEC, "user": "http_user", "user_count": 3, "spawn_rate": 0.5, "test_time": 9}],
    ["LD_generate_from_openapi", ["api.json"]], ["LD_generate_from_openapi", ["api.yaml", "http_user", 1, 2, 3, {"id": 7}, "http://x"]],
    ["LD_generate_from_openapi", {"openapi_path": "api.json", "variables": {}}],
    ["LD_load_postman_collection", ["c.json"]],
    ["LD_postman_to_tasks", [COLLECTION]], ["LD_postman_to_tasks", [{}]], ["LD_postman_to_tasks", [{"item": None}]],
    ["LD_postman_to_action_json", [COLLECTION]], ["LD_postman_to_action_json", [COLLECTION, "http_user", 1, 2, 3]],
    ["LD_load_k6_script", ["script.js"]],
    *[["LD_k6_script_to_tasks", [source]] for source in (
        SCRIPT, "", "no calls", "http.get(\"http://h/a\")", "http.patch('http://h/a', 'x');http.options('http://h/b')")],
    ["LD_k6_script_to_action_json", [SCRIPT]], ["LD_k6_script_to_action_json", [SCRIPT, "http_user", 1, 2, 3]],
    ["LD_jmeter_to_tasks", ["plan.jmx"]], ["LD_jmeter_to_tasks", ["empty.jmx"]],
    ["LD_jmeter_to_action_json", ["plan.jmx", "http_user", 1, 2, 3]],
    ["LD_generate_from_curls", [["curl http://h/a", "curl 'broken", "curl http://h/b -d '{}'"]]],
    ["LD_generate_from_curls", {"curls": [], "user_count": 1, "variables": {"a": "b"}}],
]


def more(ours, theirs):
    """Whether ours has everything of theirs, and something else."""
    return ours != theirs and holds(ours, theirs)


def holds(ours, theirs):
    if isinstance(ours, dict) and isinstance(theirs, dict):
        return all(key in ours and holds(ours[key], value) for key, value in theirs.items())
    if isinstance(ours, list) and isinstance(theirs, list):
        return len(ours) == len(theirs) and all(map(holds, ours, theirs))
    return ours == theirs


def first(command, value, **members):
    """A case about the first task: what it has in ldctl."""
    def check(ours, theirs):
        return ours != theirs and all(ours[0].get(key) == member for key, member in members.items())
    return [command, [value]], check


def only(**members):
    """What the one task has in ldctl, which the reference's has not."""
    return lambda ours, theirs: ours != theirs and all(ours.get(key) == member for key, member in members.items())


# What both are given, and how they differ: a predicate over ldctl's and the reference's value.
DIFFERENT = [
    *[(f"an option that has no value takes none: {command}", ["LD_curl_to_task", [command]], only(request_url="http://h/a"))
      for command in ("curl -s http://h/a", "curl -v http://h/a", "curl -sS --http2 http://h/a", "curl -i http://h/a")],
    ("letters of options may stand together", ["LD_curl_to_task", ["curl -XPUT http://h/a"]],
     only(method="put", request_url="http://h/a")),
    ("forms", ["LD_curl_to_task", ["curl -F a=b http://h/a"]], only(method="post", files={"a": [None, "b"]})),
    ("JSON", ["LD_curl_to_task", ["curl --json '{\"a\": 1}' http://h/a"]], only(method="post", json={"a": 1})),
    ("data in the query", ["LD_curl_to_task", ["curl -G -d a=1 http://h/a"]], only(method="get", request_url="http://h/a?a=1")),
    ("cookies are an object", ["LD_curl_to_task", ["curl -b 'a=1; b=2' http://h/a"]],
     lambda ours, theirs: (ours["cookies"], theirs["cookies"]) == ({"a": "1", "b": "2"}, "a=1; b=2")),
    ("other options", ["LD_curl_to_task", ["curl -A me -m 3 -x proxy:1 http://h/a"]],
     only(headers={"User-Agent": "me"}, timeout=3, proxy="http://proxy:1", request_url="http://h/a")),
    ("the variables of a server have their defaults",
     *first("LD_openapi_to_tasks", {"servers": [{"url": "https://{r}.x", "variables": {"r": {"default": "eu"}}}], "paths": {"/a": {"get": {}}}},
            request_url="https://eu.x/a")),
    ("Swagger 2 has a server", *first("LD_openapi_to_tasks", {
        "swagger": "2.0", "host": "h", "basePath": "/v2/", "schemes": ["http"], "paths": {"/a": {"get": {}}}}, request_url="http://h/v2/a")),
    ("required parameters", *first("LD_openapi_to_tasks", operation(parameters=[
        {"name": "q", "in": "query", "required": True, "example": 5}, {"name": "X", "in": "header", "required": True, "schema": {"default": "y"}},
        {"name": "o", "in": "query"}]), params={"q": 5}, headers={"X": "y"})),
    ("bodies", *first("LD_openapi_to_tasks", operation(requestBody={"content": {"application/json": {
        "schema": {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"example": "x"}}}}}}), json={"a": 1, "b": "x"})),
    ("credentials", *first("LD_openapi_to_tasks", {**operation(security=[{"b": []}]), "components": {"securitySchemes": {
        "b": {"type": "http", "scheme": "bearer"}}}}, auth={"type": "bearer", "token": "${env.TOKEN}"})),
    ("references of paths", ["LD_openapi_to_tasks", [{"paths": {"/a": {"$ref": "#/p/a"}}, "p": {"a": {"get": {}}}}]],
     lambda ours, theirs: len(ours) == 1 and theirs == []),
    ("a method that no user has is left out", ["LD_openapi_to_tasks", [{"paths": {"/a": {"trace": {}}}}]],
     lambda ours, theirs: ours == [] and theirs[0]["method"] == "trace"),
    ("examples of the path are variables", ["LD_openapi_to_action_json", [{"paths": {"/a/{id}": {"get": {"parameters": [
        {"name": "id", "in": "path", "example": 7}]}}}}]],
     lambda ours, theirs: more(ours, theirs) and ours["load_density"][0][1]["variables"] == {"id": 7}),
    ("and are registered", ["LD_generate_from_openapi", ["examples.json"]],
     lambda ours, theirs: ours["load_density"][1:] == theirs["load_density"]
     and ours["load_density"][0] == ["LD_register_variables", {"variables": {"id": 7}}]),
    ("Postman's variables are ours", *first("LD_postman_to_tasks", item(url="{{base}}/a/{{$guid}}"), request_url="${var.base}/a/${uuid()}")),
    ("and have their values", ["LD_postman_to_action_json", [{**item(url="{{base}}/a"), "variable": [
        {"key": "base", "value": "http://{{host}}"}, {"key": "host", "value": "h"}]}]],
     lambda ours, theirs: ours["load_density"][0][1]["variables"] == {"base": "http://h", "host": "h"}),
    ("variables of a path", *first("LD_postman_to_tasks", item(url={"raw": "http://h/:id", "variable": [{"key": "id", "value": "7"}]}),
                                   request_url="http://h/7")),
    ("Postman's credentials", *first("LD_postman_to_tasks", {**item(), "auth": {"type": "basic", "basic": [
        {"key": "username", "value": "u"}, {"key": "password", "value": "p"}]}}, auth={"type": "basic", "username": "u", "password": "p"})),
    ("a request that is its URL", ["LD_postman_to_tasks", [{"item": [{"name": "n", "request": "http://h/a"}]}]],
     lambda ours, theirs: ours == [{"method": "get", "request_url": "http://h/a", "name": "n"}] and theirs == []),
    ("formdata is a multipart form", *first("LD_postman_to_tasks", item(body={"mode": "formdata", "formdata": [
        {"key": "a", "value": "b"}, {"key": "f", "type": "file", "src": "x.png"}]}), files={"a": [None, "b"], "f": {"path": "x.png"}})),
    ("GraphQL", *first("LD_postman_to_tasks", item(body={"mode": "graphql", "graphql": {"query": "{a}", "variables": "{\"b\": 1}"}}),
                       json={"query": "{a}", "variables": {"b": 1}})),
    ("fields that repeat", *first("LD_postman_to_tasks", item(body={"mode": "urlencoded", "urlencoded": [
        {"key": "a", "value": "1"}, {"key": "a", "value": "2"}]}), data=[["a", "1"], ["a", "2"]])),
    ("the language of a body", *first("LD_postman_to_tasks", item(body={"mode": "raw", "raw": "<a/>", "options": {"raw": {"language": "xml"}}}),
                                      headers={"Content-Type": "application/xml"})),
    ("text is text", *first("LD_postman_to_tasks", item(body={"mode": "raw", "raw": "[1]", "options": {"raw": {"language": "text"}}}),
                            data="[1]", headers={"Content-Type": "text/plain"})),
    ("headers as a text", *first("LD_postman_to_tasks", item(header="A: b\nC: d"), headers={"A": "b", "C": "d"})),
    ("a protocol and a port", *first("LD_postman_to_tasks", item(url={"protocol": "http", "host": "h", "port": "81", "path": ["a"]}),
                                     request_url="http://h:81/a")),
    ("scripts of Postman", ["LD_postman_to_tasks", [{"item": [{**item()["item"][0], "event": [{"listen": "test", "script": {"exec": [
        "pm.response.to.have.status(201);", "pm.environment.set('t', pm.response.json().a.b);"]}}]}]}]],
     lambda ours, theirs: more(ours, theirs) and ours[0]["assertions"] == [{"type": "status_code", "value": 201}]
     and ours[0]["extract"] == [{"var": "t", "path": "a.b"}]),
    ("JSON.stringify", *first("LD_k6_script_to_tasks", "http.post('http://h/a', JSON.stringify({a: 1, b: [f]}), {headers: {X: 'y'}})",
                              json={"a": 1, "b": ["${f}"]}, headers={"X": "y"})),
    ("null is no body", ["LD_k6_script_to_tasks", ["http.del('http://h/a', null)"]],
     lambda ours, theirs: "data" not in ours[0] and theirs[0]["data"] == "null"),
    ("constants", *first("LD_k6_script_to_tasks", "const BASE = __ENV.B || 'http://h'; http.get(`${BASE}/a`);", request_url="http://h/a")),
    ("params of get are no body", *first("LD_k6_script_to_tasks", "http.get('http://h/a', {headers: {X: 'y'}})", headers={"X": "y"})),
    ("comments are no calls", ["LD_k6_script_to_tasks", ["// http.get('http://h/a')"]], lambda ours, theirs: ours == [] and len(theirs) == 1),
    ("an object is a form", *first("LD_k6_script_to_tasks", "http.post('http://h/a', {\"a\": 1})", data={"a": "1"})),
    ("checks of the status", *first("LD_k6_script_to_tasks", "const r = http.get('http://h/a'); check(r, {ok: r => r.status === 204})",
                                    assertions=[{"type": "status_code", "value": 204}])),
    ("a check belongs to the request before it", ["LD_k6_script_to_tasks", [
        "http.get('http://h/a'); const r = http.get('http://h/b'); check(r, {'is 200': (r) => r.status === 200})"]],
     lambda ours, theirs: "assertions" not in ours[0] and theirs[0]["assertions"] == ours[1]["assertions"]),
    ("a check is its condition, not its name", ["LD_k6_script_to_tasks", [
        "const r = http.get('http://h/a'); check(r, {'is 200': (r) => r.status === 200 || r.status === 201})"]],
     lambda ours, theirs: "assertions" not in ours[0] and "assertions" in theirs[0]),
    ("groups are part of names", *first("LD_k6_script_to_tasks", "group('g', () => { http.get('http://h/a?b'); });", name="g: GET /a")),
    ("a batch", ["LD_k6_script_to_tasks", ["http.batch([['GET', 'http://h/a'], 'http://h/b'])"]],
     lambda ours, theirs: [task["request_url"] for task in ours] == ["http://h/a", "http://h/b"] and theirs == []),
    ("options are the load", ["LD_k6_script_to_action_json", ["export const options = {vus: 3, duration: '1m'}; http.get('http://h/a')"]],
     lambda ours, theirs: [ours["load_density"][0][1][key] for key in ("user_count", "test_time", "wait_time")] == [3, 60, 0]),
    ("unless the call says it", ["LD_k6_script_to_action_json", {
        "source": "export const options = {vus: 3, duration: '1m'}; http.get('http://h/a')", "user_count": 4}],
     lambda ours, theirs: ours == theirs and ours["load_density"][0][1]["user_count"] == 4),
    ("thresholds are gates", ["LD_k6_script_to_action_json", [
        "export const options = {thresholds: {http_req_duration: ['p(95)<200']}}; http.get('http://h/a')"]],
     lambda ours, theirs: ours["load_density"][1] == ["LD_assert_sla", {"rules": [{"type": "latency_p95", "op": "lt", "value": 200}]}]),
    ("a test plan is text", ["LD_load_jmeter_jmx", ["plan.jmx"]], lambda ours, theirs: ours == PLAN and theirs.startswith("<Element ")),
    ("a sampler has what belongs to it", ["LD_jmeter_to_tasks", ["own.jmx"]],
     lambda ours, theirs: ours[0]["headers"] == {"Own": "1"} and "headers" not in theirs[0]
     and (ours[0]["params"], theirs[0]["data"]) == ({"q": "x"}, {"q": "x"})),
    ("what is disabled is left out", ["LD_jmeter_to_tasks", ["disabled.jmx"]], lambda ours, theirs: ours == [] and len(theirs) == 1),
    ("a group says the load", ["LD_jmeter_to_action_json", ["load.jmx"]],
     lambda ours, theirs: [ours["load_density"][0][1][key] for key in ("user_count", "spawn_rate", "test_time")] == [6, 2, 30]
     and theirs["load_density"][0][1]["user_count"] == 10),
    ("a file that does not exist", ["LD_load_k6_script", ["none.js"]],
     lambda ours, theirs: "none.js" in ours["failed"] and "none.js" in theirs["failed"]),
    ("a file outside", ["LD_jmeter_to_tasks", ["../outside.jmx"]],
     lambda ours, theirs: "outside" in ours["failed"] and theirs == []),
    ("a file that is no JSON", ["LD_load_postman_collection", ["broken.json"]],
     lambda ours, theirs: "is not JSON" in ours["failed"] and "failed" in theirs),
]

FILES["examples.json"] = json.dumps({"paths": {"/a/{id}": {"get": {"parameters": [{"name": "id", "in": "path", "example": 7}]}}}})
FILES["load.jmx"] = plan(
    '<ThreadGroup testname="g"><stringProp name="ThreadGroup.num_threads">6</stringProp><stringProp name="ThreadGroup.ramp_time">3'
    '</stringProp><boolProp name="ThreadGroup.scheduler">true</boolProp><stringProp name="ThreadGroup.duration">30</stringProp></ThreadGroup>',
    "<hashTree>", sampler({"domain": "h", "path": "/a"}), "</hashTree>")


def compare(ldctl, reference, ours, theirs):
    result = Comparison()
    for place in (ours, theirs):
        for name, text in FILES.items():
            (place / name).write_text(text)
    (ours.parent / "outside.jmx").write_text(plan())
    commands = [*EQUAL, *(command for _, command, _ in DIFFERENT)]
    values, [expected, _] = ldctl.run(commands), reference.run(commands)
    for command, value, want in zip(EQUAL, values, expected):
        result.equal(short(command), normal(command[0], value), normal(command[0], want))
    for (what, command, differs), value, want in zip(DIFFERENT, values[len(EQUAL):], expected[len(EQUAL):], strict=True):
        try:
            seen = bool(differs(value, want))
        except (KeyError, IndexError, TypeError, AttributeError) as error:
            seen = repr(error)
        result.equal(f"{what}: ldctl {short(value)}, reference {short(want)}", seen, True)
    return result


def main():
    arguments = options(__doc__).parse_args()
    with tempfile.TemporaryDirectory() as directory:
        ours, theirs = pathlib.Path(directory, "ours"), pathlib.Path(directory, "theirs")
        ours.mkdir()
        theirs.mkdir()
        result = compare(Ldctl(arguments.ldctl, ours), Reference(arguments.reference, theirs), ours, theirs)
    print(f"imports: {result.same} equal, {result.different} different")
    return 1 if result.different else 0


if __name__ == "__main__":
    sys.exit(main())
