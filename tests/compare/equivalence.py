#!/usr/bin/env python3
"""Runs load test documents through LoadDensity and through `ldctl run`, against the same target.

The target answers by a script and keeps every request. Both programs must send the same requests in
the same order (method, path with query, the headers that documents decide, body), and must count
the same successes and failures with the same texts where an assertion fails. What differs on
purpose stands in DIFFERENCES with its reason, and the script fails when such a difference is gone.
Needs an interpreter with je_load_density==0.0.79; loopback only; ends only what it started.

  equivalence.py --ldctl target/release/ldctl --reference VENV/bin/python [--only NAME] [--jobs N]
"""

import concurrent.futures
import gzip
import http.server
import json
import os
import re
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

from support.script import options

DEADLINE = 90  # seconds for one program and one document: the reference's import takes some
SECONDS = 1.3  # of load per document: some six iterations

REFERENCE = """
import json, sys
from je_load_density.utils.executor.action_executor import execute_action
execute_action(json.load(open(sys.argv[1])))
"""

JSON = {
    "a": {"b": [1, 2.5, True, None, "x"], "c": {"d": "deep"}},
    "s": "it's",
    "t": "token-7",
    "n": 7,
    "e": "é €",
    "z": 0,
    "f": False,
    "list": [{"id": 3}, {"id": 4}],
}

# Where `/rel/0`, `/rel/1`, … lead.
LOCATIONS = ("landed", "../up", "?only=query", "/abs#fragment", "a b?c=d e", "//HOST/net", "./dot/../here", "/enc%20oded?x=%41", "")

# What the target does not compare: written by the client, not by the document.
OWN_HEADERS = {
    "host", "user-agent", "accept", "accept-encoding", "connection", "content-length", "cookie2",
}  # fmt: skip


class Target(http.server.ThreadingHTTPServer):
    """Answers by a script, and keeps what came."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.seen = []
        self.turn = 0
        self.lock = threading.Lock()
        self.base = f"http://127.0.0.1:{self.server_address[1]}"
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def handle_error(self, request, client_address):
        pass


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_):
        pass

    def handle_one(self):
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        with self.server.lock:
            self.server.seen.append(self.fact(body))
            self.server.turn += 1
            turn = self.server.turn
        path = self.path.split("?")[0]
        text, headers, status = json.dumps(JSON).encode(), [("X-Test", "v")], 200
        if match := re.match(r"/s(\d{3})", path):
            status = int(match[1])
            if status in (301, 302, 303, 307, 308):
                headers.append(("Location", "/landed?from=" + match[1]))
        elif path == "/turn":
            text = json.dumps({"turn": turn, "odd": turn % 2 == 1}).encode()
        elif path == "/echo":
            text = body
        elif path == "/large":
            text = b"x" * 300_000 + b"the end"
        elif path == "/empty":
            text = b""
        elif path == "/text":
            headers.append(("Content-Type", "text/plain; charset=utf-8"))
            text = "plain é text\n".encode()
        elif path == "/twice":
            headers += [("X-Many", "one"), ("X-Many", "two")]
        elif path == "/gzip":
            headers.append(("Content-Encoding", "gzip"))
            text = gzip.compress(text)
        elif path == "/set":
            headers += [("Set-Cookie", "id=7; Path=/"), ("Set-Cookie", "deep=1; Path=/deep")]
        elif path == "/hop":
            status, headers = 302, headers + [("Location", "/hop2"), ("Set-Cookie", "hop=1; Path=/")]
        elif path == "/hop2":
            status, headers = 307, headers + [("Location", f"{self.server.base}/landed?q=a%20b")]
        elif path == "/cookies":
            headers += [("Set-Cookie", cookie) for cookie in (
                "a=1; Path=/", "b=2; Path=/deep", "c=3", 'q="x y"; Path=/', "s=1; Secure; Path=/", "h=1; HttpOnly; Path=/",
                "past=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Path=/", "zero=1; Max-Age=0; Path=/", "e=; Path=/", "eq=a=b; Path=/",
                "other=1; Domain=example.com; Path=/", "long=1; Max-Age=1000; Path=/",
            )]  # fmt: skip
        elif path == "/end":
            headers += [("Set-Cookie", "a=gone; Max-Age=0; Path=/"), ("Set-Cookie", "h=2; Path=/")]
        elif match := re.match(r"/rel/(\d+)$", path):
            location = LOCATIONS[int(match[1])].replace("HOST", self.server.base.removeprefix("http://"))
            status, headers = 302, headers + [("Location", location)]
        elif path == "/slow":
            time.sleep(0.4)
        elif path == "/round":
            status, headers = 302, headers + [("Location", "/round")]
        elif path == "/nowhere":
            status = 302
        elif path == "/reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
            self.connection.close()
            return
        elif path == "/half":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
            self.close_connection = True
            return
        elif path == "/close":
            headers.append(("Connection", "close"))
            self.close_connection = True
        elif path == "/chunked":
            self.wfile.write(
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                b"5\r\nchunk\r\n3\r\n ed\r\n0\r\n\r\n"
            )
            return
        self.send_response(status)
        if "Content-Type" not in dict(headers):
            headers.append(("Content-Type", "application/json"))
        for name, value in headers:
            self.send_header(name, value)
        if status not in (204, 304):
            self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        if self.command != "HEAD" and status not in (204, 304):
            self.wfile.write(text)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = handle_one

    def fact(self, body):
        """A request as both programs must send it."""
        headers = {}
        for name, value in self.headers.items():
            if name.lower() not in OWN_HEADERS or name.lower() in WATCHED.get(self.path, ()):
                headers.setdefault(name.lower(), []).append(value)
        if "cookie" in headers:
            headers["cookie"] = sorted(c for v in headers["cookie"] for c in v.split("; "))
        text = body.decode("utf-8", "backslashreplace")
        kind = headers.get("content-type", [""])[0]
        if match := re.match(r"multipart/form-data; boundary=(.*)", kind):
            headers["content-type"] = ["multipart/form-data; boundary=BOUNDARY"]
            text = text.replace(match[1], "BOUNDARY")
        return {"method": self.command, "path": self.path, "headers": headers, "body": text}


# Paths whose own headers a document decides.
WATCHED = {"/own": ("user-agent", "accept", "accept-encoding", "host")}


def get(path, **more):
    return {"method": "get", "request_url": path if path.startswith("REFUSED") else "BASE" + path, **more}


def post(path, **more):
    return {**get(path, **more), "method": "post"}


def status(value):
    return {"type": "status_code", "value": value}


def path_is(path, value):
    return {"type": "json_path", "path": path, "value": value}


def take(var, path, **more):
    return {"var": var, "from": "json_path", "path": path, **more}


FAST, PLAIN = "fast_http_user", "http_user"
VARIABLES = {"v": "VAL", "n": 5, "on": True, "off": False, "none": None, "f": 1.5, "sp": "a b&c=d/é"}


def documents():
    """(name, users, tasks, further arguments of LD_start_test)"""
    both = (FAST, PLAIN)
    yield "list", both, [get("/one"), post("/two"), get("/three", name="three")], {}
    yield "methods", both, [
        {"method": method, "request_url": f"BASE/m/{method}"}
        for method in ("get", "POST", "put", "Patch", "delete", "head", "OPTIONS")
    ], {}  # fmt: skip
    yield "old form", both, {"get": {"request_url": "BASE/g"}, "post": {"request_url": "BASE/p", "json": {"a": 1}}}, {}
    yield "mode sequence", both, {"mode": "sequence", "tasks": [get("/a"), get("/b")]}, {}
    yield "mode conditional", both, {"mode": "conditional", "tasks": [
        get("/yes", run_if=True), get("/no", run_if=False), get("/skipped", skip_if="${var.on}"),
        get("/kept", skip_if="${var.off}"), get("/unset", run_if="${var.unset}"), get("/one", run_if=1),
        get("/none", run_if="${none}"), get("/text", run_if="x"), get("/blank", run_if=" "),
    ]}, {}  # fmt: skip
    yield "operators", both, [
        get("/eq", run_if={"equals": ["${var.v}", "VAL"]}),
        get("/eq-text", run_if={"equals": ["${n}", 5]}),
        get("/ne", run_if={"not_equals": ["${var.v}", "x"]}),
        get("/in", run_if={"in": ["${n}", ["4", "5"]]}),
        get("/in-text", run_if={"in": ["A", "${v}"]}),
        get("/not-in", run_if={"in": ["${n}", [5]]}),
        get("/truthy", run_if={"truthy": "${var.on}"}),
        get("/falsy", run_if={"truthy": "${var.off}"}),
        get("/both", run_if=True, skip_if={"equals": [1, 2]}),
        get("/odd", run_if={"EQUALS": [1, 1.0]}),
    ], {}  # fmt: skip
    yield "weights with zero", both, {"mode": "weighted", "tasks": [
        get("/never", weight=0), get("/always", weight=3), get("/never2", weight=0),
    ]}, {}  # fmt: skip
    yield "weights all zero", both, {"mode": "weighted", "tasks": [get("/never", weight=0)]}, {}
    yield "weighted with a condition", both, {"mode": "weighted", "tasks": [get("/w", run_if="${off}")]}, {}
    yield "placeholders", both, [
        post("/p/${var.v}/${v}/${ n }?q=${f}", name="${v}-${n}", headers={"X-V": "<${v}>", "X-N": "${n}"},
             json={"k": "${v}", "n": 1, "deep": [{"x": "${on}-${off}"}, "${unset}", "${none}"]}),
        get("/q?x=${randint(3,3)}&y=${nope.x}", headers={"X-U": "${session.no}"}),
        get("/${sp}"), post("/body", data="raw ${v} ${sp}"), post("/form", data={"k": "${sp}", "${v}": "${v}"}),
        get("/params", params={"p": "${sp}", "${v}": "1"}),
        get("/r", headers={"X-R": "${randint(x)}|${uuid}|${}|${ }|$ {v}|${v"}),
    ], {}  # fmt: skip
    yield "csv", both, [get("/c/${csv.people.id}/${csv.people.name}/${csv.people.id}"), get("/d/${csv.people.name}/${csv.people.no}/${csv.no.id}"),
                        get("/if/${csv.people.id}", run_if={"equals": ["${csv.people.name}", "bob"]})], {
        "csv_sources": [{"name": "people", "file_path": "people.csv"}]}  # fmt: skip
    yield "csv that runs out", both, [get("/c/${csv.people.id}")], {
        "csv_sources": [{"name": "people", "file_path": "people.csv", "cycle": False}]}
    yield "assertions that hold", both, [get("/json", name="all", assertions=[
        status(200), status("200"), {"type": "contains", "value": "token"}, {"type": "not_contains", "value": "nope"},
        path_is("a.b.0", 1), path_is("a.b.1", 2.5), path_is("a.b.2", True), path_is("a.b.3", None), path_is("a.b.-1", "x"),
        path_is("a.c", {"d": "deep"}), path_is("list.1.id", 4), path_is("z", 0), path_is("f", False), path_is("z", False),
        path_is("e", "é €"), path_is("a.b", [1, 2.5, True, None, "x"]), path_is("missing.x", None), path_is("n", 7.0),
        {"type": "header", "name": "X-Test", "value": "v"}, {"type": "header", "name": "x-test", "value": "v"},
        {"type": "STATUS_CODE", "value": 200},
    ]), get("/s404", assertions=[status(404)]), get("/s500", assertions=[{"type": "contains", "value": "deep"}]),
        get("/gzip", assertions=[path_is("t", "token-7")]), get("/text", assertions=[{"type": "contains", "value": "é"}]),
        get("/empty", assertions=[{"type": "not_contains", "value": "x"}, {"type": "contains", "value": ""}]),
        {"method": "head", "request_url": "BASE/json", "assertions": [status(200)]},
        get("/chunked", assertions=[{"type": "contains", "value": "chunk ed"}]),
    ], {}  # fmt: skip
    yield "assertions that fail", both, [
        get("/f1", assertions=[status(201)]), get("/f2", assertions=[status("201")]),
        get("/f3", assertions=[{"type": "contains", "value": "no 'such' text"}]),
        get("/f4", assertions=[{"type": "not_contains", "value": "it's"}]),
        get("/f5", assertions=[path_is("a.b.0", "1")]), get("/f6", assertions=[path_is("a.b.9", 1)]),
        get("/f7", assertions=[path_is("a.b", {"x": [None, True, 1.0, 1e20, "\n\u00e9"]})]),
        get("/f8", assertions=[{"type": "header", "name": "X-Test", "value": "w"}]),
        get("/f9", assertions=[{"type": "header", "name": "X-No", "value": 5}]),
        get("/f10", assertions=[status(200), path_is("n", 8), status(1)]),
        get("/f11", assertions=[{"type": "contains", "value": 12345}]), get("/f12", assertions=[path_is("e", "e")]),
        get("/text", assertions=[path_is("a", 1)]), get("/s500", assertions=[status(200)]),
        get("/f13", assertions=[{"type": "contains", "value": "${v}"}]), get("/f14", assertions=[path_is("${v}.x", "${n}")]),
        get("/f15", assertions=[path_is("a.c.d", None)]), get("/f16", assertions=[path_is("s", "it is")]),
        get("/f17", assertions=[{"type": "header", "name": "${v}", "value": ["${n}"]}]),
        get("/f18", assertions=[{"type": "not_contains", "value": 7}]), get("/f19", assertions=[path_is("f", 0.5)]),
    ], {}  # fmt: skip
    yield "a header sent twice", both, [get("/twice", assertions=[{"type": "header", "name": "X-Many", "value": "one, two"}])], {}
    yield "extract and use", both, [
        get("/json", assertions=[status(200)], extract=[
            take("t", "t"), take("num", "n"), take("id", "list.0.id"), {"var": "h", "from": "header", "name": "x-test"},
            {"var": "st", "from": "status_code"}, take("fl", "a.b.1"), take("yes", "a.b.2"), take("gone", "no.such"), take("nul", "a.b.3"),
        ]),
        get("/u/${t}/${var.num}/${id}/${h}/${st}/${fl}/${yes}/${gone}/${nul}", headers={"X-T": "Bearer ${t}"}),
        get("/run", run_if={"equals": ["${num}", "7"]}), get("/no", run_if={"equals": ["${num}", 7]}), get("/zero", run_if="${zero}"),
        get("/json", extract=[take("zero", "z"), {"var": "default", "path": "n"}]), get("/d/${default}/${zero}"),
    ], {}  # fmt: skip
    yield "extract only after the assertions", both, [
        get("/json", assertions=[status(500)], extract=[take("t", "t")]), get("/u/${t}"),
        get("/s404", assertions=[status(404)], extract=[take("later", "t")]), get("/l/${later}"),
    ], {}  # fmt: skip
    yield "extract an object", both, [
        get("/json", extract=[take("obj", "a"), take("li", "list"), take("tr", "f")]),
        post("/echo", data="${obj}|${li}|${tr}"),
    ], {}  # fmt: skip
    yield "session scope", both, [
        get("/json", extract=[take("t", "t", scope="session"), take("v", "n", scope="session")]),
        get("/s/${session.t}/${session.v}/${t}/${v}"),
    ], {}  # fmt: skip
    yield "turns", both, [
        get("/turn", extract=[take("odd", "odd"), take("turn", "turn")]), get("/odd/${turn}", run_if="${odd}"), get("/even/${turn}", skip_if="${odd}"),
    ], {}  # fmt: skip
    yield "params", both, [
        get("/params", params={"a": 1, "b": "x y&z", "c": "é", "d": 1.5, "e": ""}), get("/params?x=1", params={"y": "2"}),
        post("/params", params={"p": "~-_.*!'()/:@"}), get("/params", params=[["k", "1"], ["k", "2"]]), get("/params", params={}),
        get("/params", params={"t": True}),
    ], {}  # fmt: skip
    yield "params of lists and nothing", (PLAIN,), [get("/params", params={"l": [1, "b"], "n": None, "z": 1})], {}
    yield "URLs", both, [
        get("/a b/é?q=ü x&r=%41%20#frag"), get("/%2F%zz/a|b{c}[d]^`\"<>\\"), get("/plus+plus?a=b+c"), get("/a/../b/./c"), get("?only=query"), get(""),
        get("/semi;colon=1,2?x=1;y=2&&z"), get("/~tilde/$&'()*+,;=:@"), get("/q?a=[1]&b={2}&c=x|y&d='\""),
    ], {}  # fmt: skip
    yield "json bodies", both, [
        post("/json", json={"a": [1, 2.0, 1e-7, 1e22, True, None, "é€😀\u0001\"\\/"], "b": {}, "c": []}),
        post("/json", json=[1, 2]), post("/json", json="text"), post("/json", json=5), post("/json", json=False),
        post("/json", json={"n": 12345678901234567890123}, headers={"Content-Type": "application/vnd.x+json"}),
        {"method": "put", "request_url": "BASE/json", "json": {"k": "v"}}, {"method": "patch", "request_url": "BASE/json", "json": {}},
        {"method": "delete", "request_url": "BASE/json", "json": {"id": 1}}, get("/json", json={"in": "get"}),
    ], {}  # fmt: skip
    yield "form bodies", both, [
        post("/form", data={"a": 1, "b": "x y&z=é", "c": 1.5, "d": True, "e": ""}), {"method": "put", "request_url": "BASE/form", "data": {"k": "~-_.*!'()/"}},
        post("/form", data={"a": "1"}, headers={"Content-Type": "application/x-other"}), post("/form", data={}, json={"j": 1}),
        post("/form", data={"d": 1}, json={"j": 1}),
    ], {}  # fmt: skip
    yield "form with lists and nothing", both, [post("/form", data={"l": [1, "b c"], "z": "1"}), post("/form", data={"n": None, "z": 1})], {}
    yield "text bodies", both, [
        post("/echo", data="plain é text"), post("/echo", data='{"raw": 1}', headers={"Content-Type": "application/json"}),
        {"method": "put", "request_url": "BASE/echo", "data": "a=1&b=2", "headers": {"content-type": "application/x-www-form-urlencoded"}},
        post("/echo", data="", json={"used": 1}), post("/echo", data="é", headers={"Content-Type": "text/plain; charset=latin-1"}),
    ], {}  # fmt: skip
    yield "headers", both, [
        get("/h", headers={"X-A": "1", "x-b": "two words", "X-C": "a,b", "X-Num": "5"}),
        get("/own", headers={"User-Agent": "mine/1", "Accept": "text/html", "Accept-Encoding": "identity", "Host": "virtual.example"}),
        get("/own", headers={"user-agent": "mine/2", "accept": "*/*;q=0.5", "accept-encoding": "gzip", "host": "other.example"}),
    ], {}  # fmt: skip
    yield "auth", both, [
        get("/auth", auth={"type": "basic", "username": "u", "password": "p:é"}), get("/auth", auth={"type": "bearer", "token": "${v}"}),
        get("/auth", auth={"type": "Basic", "username": "${v}"}), get("/auth", auth={"type": "bearer", "token": "t"}, headers={"Authorization": "old"}),
        get("/auth", headers={"Authorization": "Digest x"}),
    ], {}  # fmt: skip
    yield "cookies of a task", (PLAIN,), [get("/ck", cookies={"a": "1", "b": "${v}"}), get("/after")], {}
    yield "cookies of the target", both, [get("/set"), get("/back"), get("/deep/er")], {}
    yield "redirects", both, [
        get("/s301"), get("/s302"), get("/s303"), get("/s307"), get("/s308"), get("/hop"), get("/nowhere"), get("/hop", name="hop", assertions=[status(200)]),
        get("/s302", allow_redirects=False, assertions=[status(302)]), get("/s301", allow_redirects=False),
        get("/s307", headers={"X-K": "kept"}, auth={"type": "bearer", "token": "t"}),
        {"method": "head", "request_url": "BASE/s302"}, {"method": "head", "request_url": "BASE/s303"},
    ], {}  # fmt: skip
    yield "redirects of bodies", both, [
        post("/s301", json={"b": 1}), post("/s302", data={"b": 1}), post("/s303", data="text"), post("/s307", json={"b": 1}), post("/s308", data={"b": 1}),
    ], {}  # fmt: skip
    yield "redirects of other methods", both, [
        {"method": method, "request_url": f"BASE/s{code}", "json": {"b": 1}} for method in ("put", "patch", "delete") for code in (301, 302, 303, 307)
    ], {}  # fmt: skip
    yield "redirects without an end", both, [get("/round", name="round"), get("/next")], {"test_time": 2.5}
    yield "status codes", both, [get(f"/s{code}", name=str(code)) for code in (200, 201, 204, 206, 304, 400, 401, 403, 404, 429, 500, 502, 503)], {}
    yield "refused", both, [get("REFUSED/x", name="refused"), get("/next")], {}
    yield "refused, with assertions", both, [get("REFUSED/y", name="asserted", assertions=[status(200)]), get("/next")], {}
    yield "reset", both, [post("/reset", name="reset"), get("/next")], {}
    yield "half a body", both, [post("/half", name="half"), get("/next")], {}
    yield "connection close", both, [get("/close"), post("/close", json={}), get("/next")], {}
    yield "chunks", both, [get("/chunked"), post("/chunked", data="x"), get("/next")], {}
    yield "think time and throttle", both, [get("/a", think_time=0.05), get("/b", throttle={"key": "k", "rps": 1000}, think_time={"min": 0, "max": 0.01})], {}
    yield "files", both, [
        post("/up", files={"f": "content é"}), post("/up", files={"f": ["n.txt", "c"], "g": ["m.csv", "a,b", "text/csv"]}),
        post("/up", files={"f": ["n.txt", "c"]}, data={"k": "v w", "n": "1"}),
    ], {}  # fmt: skip
    yield "extract without assertions", both, [
        get("/s404", name="missing", extract=[take("t", "t")]), get("/u/${t}"), get("REFUSED/x", name="refused", extract=[take("r", "t")]), get("/r/${r}"),
    ], {}  # fmt: skip
    yield "keywords that FastHttpUser appends", (FAST,), [get("/kw", timeout=5, verify=False, cookies={"a": "1"})], {}
    yield "keywords of requests", (PLAIN,), [get("/kw", timeout=5, verify=False, cookies={"a": "1"}), get("/kw", timeout=2.5, verify=True)], {}
    yield "numbers the wrong way round", both, [get("/x", headers={"X-R": "${randint(5, 1)}"}), get("/next")], {}
    yield "names of placeholders", both, [
        get("/n/${var.a.b}/${VAR.v}/${ var.v }/${Var.v}/${a.b}/${var.}/${csv.people}/${session}/${v }", name="names"),
        get("/l/${list}/${dict}/${long}/${neg}/${V}", name="values"), get("/env/${env.LDCTL_COMPARE}/${env.LDCTL_UNSET}", name="env"),
    ], {"variables": {**VARIABLES, "a.b": "dotted", "list": [1, "a", None], "dict": {"k": [True]}, "long": 123456789012345678901, "neg": -0.0}}  # fmt: skip
    yield "placeholders in placeholders", both, [get("/p/${v${n}}/${outer}", name="nested")], {"variables": {"v": "V", "n": 5, "outer": "${v}", "v5": "no"}}
    yield "weights outside of weighted", both, [get("/zero", weight=0), get("/one", weight=9)], {}
    yield "old form inside a mode", both, {"mode": "sequence", "tasks": {"get": {"request_url": "BASE/g", "name": "old"}, "delete": {"url": "BASE/d"}}}, {}
    yield "url instead of request_url", both, [{"method": "get", "url": "BASE/u"}, {"method": "get", "request_url": "BASE/r", "url": "BASE/u"}], {}
    yield "fields of nothing", both, [
        get("/null", headers=None, json=None, data=None, params=None, name=None, run_if=None, skip_if=None, assertions=None, extract=None, think_time=None),
        post("/empty", assertions=[], extract=[], headers={}, name=""),
    ], {}  # fmt: skip
    yield "no body where there is none", both, [post("/none"), {"method": "put", "request_url": "BASE/none"}, {"method": "delete", "request_url": "BASE/none"}], {}
    yield "csv in a condition and in its task", both, [
        get("/c/${csv.people.id}", run_if={"not_equals": ["${csv.people.id}", "9"]}, skip_if={"equals": ["${csv.people.name}", "nobody"]}),
    ], {"csv_sources": [{"name": "people", "file_path": "people.csv"}]}  # fmt: skip
    yield "two csv sources", both, [get("/c/${csv.people.id}/${csv.again.id}"), get("/d/${csv.again.name}")], {
        "csv_sources": [{"name": "people", "file_path": "people.csv"}, {"name": "again", "file_path": "people.csv", "cycle": False}]}  # fmt: skip
    yield "extract in a chain", both, [
        post("/echo", json={"token": "${v}-1", "next": {"url": "/page/${n}"}}, extract=[take("token", "token"), take("page", "next.url")]),
        {"method": "get", "request_url": "BASE${page}", "headers": {"X-Token": "${token}"}, "assertions": [path_is("n", "${n}")]},
        post("/echo", json={"k": "${token}"}, assertions=[path_is("k", "${v}-1"), {"type": "contains", "value": "${token}"}]),
    ], {}  # fmt: skip
    yield "assertion types in capitals", both, [get("/json", assertions=[{"type": "Json_Path", "path": "n", "value": 7}, {"type": "CONTAINS", "value": "zzz"}])], {}
    yield "retry of what passes", both, [get("/json", retry={"transient": 2, "base_delay": 0.01}, assertions=[status(200)])], {}
    yield "large answer", both, [get("/large", assertions=[{"type": "contains", "value": "the end"}, {"type": "not_contains", "value": "no end"}])], {}
    yield "timeouts", (PLAIN,), [get("/slow", timeout=0.15, name="slow"), get("/next")], {}
    yield "cookies that end", both, [get("/cookies"), get("/deep/er"), get("/end"), get("/deep"), get("/deeper")], {}
    yield "cookies that a task adds to", (PLAIN,), [get("/set"), get("/back", cookies={"mine": "1"}), get("/later")], {}
    yield "relative redirects", both, [get(f"/rel/{turn}") for turn in range(len(LOCATIONS))], {}
    yield "bodies of a GET", both, [get("/echo", data="text"), get("/echo", data={"f": "1"}), {"method": "delete", "request_url": "BASE/echo", "data": {"f": "1"}}], {}
    yield "JSON without truth", both, [post("/echo", json=0), post("/echo", json=""), post("/echo", json=[]), post("/echo", json=False)], {}
    yield "params as text", both, [get("/p", params="a=1&b=x%20y"), get("/p?q=1", params="a=1")], {}
    yield "credentials in the URL", both, [{"method": "get", "request_url": "AUTHBASE/secret", "name": "auth"}], {}
    yield "headers of other letters", both, [get("/h", headers={"X-E": "é"}), get("/next")], {}
    yield "retry of what fails", both, [get("/json", name="flaky", retry={"flaky": 2, "base_delay": 0.01}, assertions=[status(500)]), get("/next")], {}
    yield "names that are no text", both, [get("/n", name=5), get("/m", name=["a", 1])], {}
    yield "a body that is no JSON", both, [get("/text", extract=[take("x", "a.b")], assertions=[path_is("a.b", None)]), get("/u/${x}")], {}
    yield "status texts", both, [get("/s404", name="text", assertions=[status("404")]), get("/s404", name="float", assertions=[status(404.0)])], {}


# Documents that send nothing.
SILENT = {"weights all zero", "weighted with a condition"}

# What differs on purpose. (document, user): why. `*` stands for every user.
DIFFERENCES = {
    ("a header sent twice", FAST): (
        "the reference compares Python's list of the values; ldctl joins them (RFC 9110, section 5.3), as http_user does"
    ),
    ("refused, with assertions", "*"): (
        "the reference checks its assertions against no answer (`got 0`); ldctl says why there was none"
    ),
    ("extract without assertions", "*"): (
        "with `extract` and no assertions the reference counts a 404 and even a refused connection as a success"
    ),
    ("keywords that FastHttpUser appends", FAST): (
        "the reference appends keywords it does not know to the query string; ldctl does what they say"
    ),
    ("credentials in the URL", FAST): (
        "the reference drops them without a word; ldctl uses them, as http_user does"
    ),
    ("retry of what fails", "*"): (
        "the reference's clients swallow the errors that its retry waits for, so it never retries; ldctl does"
    ),
    ("numbers the wrong way round", "*"): (
        "the reference skips the task with an error in its log; ldctl leaves the placeholder as written"
    ),
}


def start_test(user, tasks, more, base, refused):
    tasks = json.loads(json.dumps(tasks).replace("AUTHBASE", base.replace("//", "//u:p%40@")).replace("BASE", base).replace("REFUSED", refused))
    return [
        "LD_start_test",
        {
            "user_detail_dict": {"user": user, "host": base},
            "user_count": 1,
            "spawn_rate": 1,
            "test_time": SECONDS,
            "tasks": tasks,
            "variables": VARIABLES,
            **more,
        },
    ]


class Outcome:
    """What one program sent and what it counted."""

    def __init__(self, requests, successes, failures, said):
        self.requests, self.successes, self.failures, self.said = requests, successes, failures, said


def run(program, user, tasks, more):
    with tempfile.TemporaryDirectory() as directory:
        with open(os.path.join(directory, "people.csv"), "w", encoding="utf-8") as file:
            file.write('id,name\n1,ann\n2,bob\n3,"c, d"\n')
        target = Target()
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))
            refused = f"http://127.0.0.1:{closed.getsockname()[1]}"
            document = [
                start_test(user, tasks, more, target.base, refused),
                ["LD_generate_json_report", {"json_file_name": "report"}],
            ]
            path = os.path.join(directory, "document.json")
            with open(path, "w", encoding="utf-8") as file:
                json.dump(document, file)
            done = subprocess.run(
                [*program, "document.json"],
                cwd=directory,
                capture_output=True,
                text=True,
                timeout=DEADLINE,
                env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "NO_PROXY": "*", "LDCTL_COMPARE": "from env"},
            )
        target.shutdown()
        target.server_close()
        parts = []
        for part in ("success", "failure"):
            try:
                with open(os.path.join(directory, f"report_{part}.json"), encoding="utf-8") as file:
                    parts.append(list(json.load(file).values()))
            except FileNotFoundError:
                parts.append([])
        for entry in parts[0] + parts[1]:
            for key in ("test_url", "name"):
                entry[key] = entry[key].replace(target.base, "BASE").replace(refused, "REFUSED")
        for request in target.seen:
            for key in ("path", "body"):
                request[key] = request[key].replace(target.base, "BASE")
        said = (done.stdout + done.stderr).strip()
        return Outcome(target.seen, *parts, said)


ASSERTION = re.compile(r"^(status_code \S+ got|status_code expected|body (does not|unexpectedly)|json_path |header )")


def counted(entry):
    """A record as both programs must count it; only assertions have texts in common."""
    status = entry["status_code"]
    error = entry.get("error")
    # A task without a name is listed under its URL as the document writes it; the reference lists
    # it under the filled-in URL (fast_http_user) or its path (http_user).
    unnamed = entry["name"].startswith(("BASE", "REFUSED", "/", "?"))
    asserted = bool(error and ASSERTION.match(error))
    answered = asserted or not error or re.match(r"\d{3} |.*code=", error)
    return (
        entry["Method"],
        "" if unnamed else entry["name"],
        # What is known of an answer that broke off is the client's own affair.
        status if answered else None,
        error if asserted else bool(error),
    )


MOST = 4  # differences of one kind that are shown


def compare(left, right):
    """What differs, up to where the shorter one ends; they run for a time, not a count."""
    found = []
    for what, one, other in (
        ("request", left.requests, right.requests),
        ("success", [counted(e) for e in left.successes], [counted(e) for e in right.successes]),
        ("failure", [counted(e) for e in left.failures], [counted(e) for e in right.failures]),
    ):
        if bool(one) != bool(other):
            found.append(f"{what}: the reference has {len(one)}, ldctl {len(other)}")
        differ = 0
        for index, (a, b) in enumerate(zip(one, other)):
            if a != b:
                found.append(f"{what} {index}:\n    reference {show(a)}\n    ldctl     {show(b)}")
                differ += 1
                if differ == MOST:
                    break
    return found


def show(fact):
    return json.dumps(fact, ensure_ascii=False)


def main():
    parser = options(__doc__)
    parser.add_argument("--only", help="documents whose name contains this")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--verbose", action="store_true", help="show what ldctl said")
    arguments = parser.parse_args()
    reference = [arguments.reference, "-c", REFERENCE]
    ldctl = [arguments.ldctl, "run", "--no-check"]

    cases = [
        (name, user, tasks, more)
        for name, users, tasks, more in documents()
        for user in users
        if not arguments.only or arguments.only in name
    ]

    def one(case):
        _, user, tasks, more = case
        return run(reference, user, tasks, more), run(ldctl, user, tasks, more)

    wrong = 0
    with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        for (name, user, _, _), (left, right) in zip(cases, pool.map(one, cases)):
            found = compare(left, right)
            if not left.requests and name not in SILENT:
                found.append(f"the reference sent nothing: {left.said[-500:]}")
            excuse = DIFFERENCES.get((name, user)) or DIFFERENCES.get((name, "*"))
            counts = f"{len(left.requests)} and {len(right.requests)} requests"
            if found and excuse:
                print(f"known  {name}, {user}: {excuse}")
            elif excuse:
                wrong += 1
                print(f"GONE   {name}, {user}: no longer differs: {excuse}")
            elif found:
                wrong += 1
                print(f"DIFFER {name}, {user}: {counts}")
            else:
                print(f"same   {name}, {user}: {counts}")
            if (found and not excuse) or arguments.verbose:
                print("".join(f"  {line}\n" for line in (found)), end="")
            if arguments.verbose or (not right.requests and left.requests):
                print("  ldctl said:", right.said[-1500:])
    print(f"{len(cases) - wrong} of {len(cases)} documents as they should be")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
