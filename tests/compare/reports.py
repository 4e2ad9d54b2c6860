#!/usr/bin/env python3
"""Compares what ldctl and the reference make of the same records, field by field.

ldctl runs a load test against a target in this process, writes every report and keeps the run in
SQLite. The reference then opens that file, takes the very same records from it, and writes its own
reports, which are read by a parser of each format and compared. In the other direction ldctl opens
the reference's file. Gates, comparisons of runs, lint findings and HAR imports are compared as
values. Where ldctl is meant to differ (actions.md, section 5) the difference is checked too.

usage: reports.py --ldctl PATH --reference PYTHON
PYTHON is an interpreter with je_load_density 0.0.79. Standard library only; loopback only.
Exit status 1 if anything differs.
"""

import ast
import csv
import json
import math
import pathlib
import re
import subprocess
import sys
import tempfile
import threading
import xml.etree.ElementTree as ElementTree
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from support.script import options

NAMES = ['<b>&amp; "quoted"</b>', "=SUM(A1)", "it's, with a comma", "Zażółć gęślą 🦀", "plain"]

RULES = [
    {"type": kind, "value": value, "op": op, **({"name": name} if name else {})}
    for kind, values in [
        ("latency_p50", [0.0001, 10_000]),
        ("latency_p90", [0.0001, 10_000]),
        ("latency_p95", [0.0001, 10_000]),
        ("latency_p99", [0.0001, 10_000]),
        ("latency_mean", [0.0001, 10_000]),
        ("requests", [1, 100_000]),
    ]
    for value in values
    for op in ("lt", "lte", "gt", "gte", "LTE", "eq")
    for name in (None, "plain", "nobody")
] + [
    {"type": "failure_rate", "value": 0.1},
    {"type": "failure_rate", "value": 0.9, "op": "gt"},
    {"type": "nonsense", "value": 1},
    {"type": "requests"},
    {"type": "requests", "value": "3", "op": "gte", "name": ""},
]

LINTED = [
    [["LD_clear_records"]],
    {"load_density": [["LD_nope", {}], [], [7], "x", {}]},
    [["LD_start_test", {}], ["LD_start_test", {"tasks": None}], ["LD_start_test", []]],
    [["LD_start_test", {"tasks": [{"request_url": "http://x/"}, {"url": "https://${var.a}/"}, 5]}]],
    [["LD_start_test", {"tasks": {"mode": "sequence", "tasks": [{"url": "HTTP://it's"}]}}]],
    [["LD_start_test", {"tasks": {"get": {"request_url": "http://x/"}, "post": 5}}]],
    [["LD_start_test", {"tasks": [{"data": "x" * (1024 * 1024 + 1)}]}]],
    {"load_density": "x"}, {}, [], "text", 5, None,
]

HAR = {"log": {"entries": [
    {"request": {"method": "GET", "url": "https://shop.test/a?b=1", "headers": [
        {"name": "Host", "value": "shop.test"}, {"name": ":path", "value": "/a"},
        {"name": "Accept", "value": "*/*"}, {"name": " X-Trim ", "value": "1"}]},
     "response": {"status": 200}},
    {"request": {"method": "post", "url": "https://shop.test/b", "postData": {
        "mimeType": "application/json;charset=UTF-8", "text": "{\"a\": [1, 2.5, null]}"}},
     "response": {"status": 0}},
    {"request": {"method": "PUT", "url": "https://shop.test", "headers": [
        {"name": "Content-Type", "value": "application/json"}], "postData": {
        "mimeType": "application/json", "text": "not json"}}},
    {"request": {"method": "POST", "url": "https://shop.test/form", "postData": {
        "mimeType": "application/x-www-form-urlencoded", "text": "a=1&b=2",
        "params": [{"name": "a", "value": "1"}, {"name": "", "value": "x"}]}}},
    {"request": {"method": "POST", "url": "/relative", "postData": {"text": "plain"}}},
    {"request": {"method": "", "url": "https://shop.test/none"}},
    {"request": {"method": "GET", "url": "https://ads.test/x.png"}},
    {},
]}}

# What headless Chromium recorded.
RECORDINGS = pathlib.Path(__file__).resolve().parent.parent / "it" / "recordings"

# Runs in the reference's interpreter: one JSON object of commands on stdin, their values on stdout.
HELPER = """
import contextlib, io, json, sys
with contextlib.redirect_stdout(io.StringIO()):
    from je_load_density.utils.executor.action_executor import executor
    from je_load_density.utils.test_record.sqlite_persistence import fetch_run_records
    from je_load_density.utils.test_record.test_record_class import test_record_instance as records
    job = json.load(sys.stdin)
    if job["records"]:
        for row in fetch_run_records(*job["records"]):
            row["Method"] = row.pop("method")
            success = row.pop("outcome") == "success"
            (records.test_record_list if success else records.error_record_list).append(row)
    values = []
    for name, arguments in job["commands"]:
        values.append(executor.event_dict[name](*arguments))
json.dump(values, sys.stdout)
"""


class Target(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        status = 500 if self.path.startswith("/bad") else 200
        body = b"x" * (len(self.path) * 7)
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Comparison:
    def __init__(self):
        self.same = 0
        self.different = 0

    def equal(self, what, ours, theirs):
        if alike(ours, theirs):
            self.same += 1
            return
        self.different += 1
        print(f"DIFFERENT {what}\n  ldctl:     {short(ours)}\n  reference: {short(theirs)}")


def short(value):
    text = repr(value)
    return text if len(text) <= 400 else text[:400] + "…"


def alike(ours, theirs):
    """Equal, but for the last bits of a mean."""
    if isinstance(ours, float) and isinstance(theirs, (int, float)) and not isinstance(theirs, bool):
        return math.isclose(ours, theirs, rel_tol=1e-9, abs_tol=1e-12)
    if isinstance(ours, dict) and isinstance(theirs, dict):
        return list(ours) == list(theirs) and all(alike(ours[key], theirs[key]) for key in ours)
    if isinstance(ours, list) and isinstance(theirs, list):
        return len(ours) == len(theirs) and all(map(alike, ours, theirs))
    return type(ours) is type(theirs) and ours == theirs


def numbered(verdict):
    """A verdict whose reason does not repeat the figure, which may differ in the last bit."""
    reason = re.sub(r"=[-+.e0-9]+ not ", "= not ", verdict["reason"])
    return {**verdict, "reason": reason}


class Ldctl:
    def __init__(self, program, place):
        self.program, self.place = program, place

    def run(self, actions):
        """The actions' values, or {"failed": message}. Where a value has more, the reference's is its text."""
        command = [self.program, "run", "--no-check", "-", "--output", "json"]
        done = subprocess.run(command, input=json.dumps(actions), cwd=self.place, text=True,
                              capture_output=True, timeout=120)
        events = [json.loads(line) for line in done.stdout.splitlines()]
        results = [event for event in events if event["event"] == "result"]
        if len(results) != len(actions):
            sys.exit(f"ldctl gave {len(results)} results of {len(actions)}: {done.stderr}")
        def value(result):
            if "text" in result:
                return ast.literal_eval(result["text"])
            return result["value"] if result["ok"] else {"failed": result["error"]["message"]}

        return [value(result) for result in results]


class Reference:
    def __init__(self, python, place):
        self.python, self.place = python, place

    def run(self, commands, records=None):
        job = json.dumps({"commands": commands, "records": records})
        done = subprocess.run([self.python, "-c", HELPER], input=job, cwd=self.place, text=True,
                              capture_output=True, timeout=120)
        if done.returncode:
            sys.exit(f"the reference failed: {done.stderr}")
        return json.loads(done.stdout)


def elements(path):
    """An XML file as nested lists: tag, attributes, text, children."""
    def read(node):
        return [node.tag, dict(node.attrib), (node.text or "").strip(), [read(child) for child in node]]
    return read(ElementTree.parse(path).getroot())


def cells(path, neutralised):
    with open(path, newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    if neutralised:
        rows = [[plain(cell) for cell in row] for row in rows]
    return rows


def plain(cell):
    return cell[1:] if len(cell) > 1 and cell[0] == "'" and cell[1] in "=+-@\t\r" else cell


def compare(ldctl, reference, ours, theirs, base):
    result = Comparison()
    tasks = [{"method": "get", "request_url": f"{base}/{'bad' if index % 3 == 1 else 'ok'}/{index}",
              "name": name} for index, name in enumerate(NAMES)]
    tasks += [{"method": "get", "request_url": "http://127.0.0.1:1/refused", "name": "refused"},
              {"method": "get", "request_url": f"{base}/ok", "name": "asserted",
               "assertions": [{"type": "contains", "value": "<&\"'\n>"}]}]
    test = ["LD_start_test", {"user_detail_dict": {"user": "fast_http_user"}, "tasks": tasks,
                              "user_count": 3, "spawn_rate": 100, "test_time": 1, "wait_time": 0.05}]
    reports = [("LD_generate_csv_report", ["r"]), ("LD_generate_json_report", ["r"]),
               ("LD_generate_xml_report", ["r"]), ("LD_generate_junit_report", ["j"]),
               ("LD_generate_summary_report", ["s"])]
    persist = ("LD_persist_records", ["runs.db", "a label", {"é": [1, 2.5, None], "b": "x"}])
    measured = [("LD_summary", []), ("LD_evaluate_sla", [RULES]),
                ("LD_generate_json", []), ("LD_generate_xml", [])]
    commands = [*reports, persist, *measured]
    values = ldctl.run([test, *map(list, commands)])
    if "failed" in values[0]:
        sys.exit(f"the load test failed: {values[0]['failed']}")
    values = values[1:]

    # The reference opens our file and takes the records from it.
    database = str(ours / "runs.db")
    expected = reference.run([*commands, ("LD_summary", [])], records=[database, 1])
    for (name, _), value, want in zip(commands, values, expected):
        if name == "LD_evaluate_sla":
            for ours_of_rule, theirs_of_rule in zip(value, want, strict=True):
                result.equal("verdict", numbered(ours_of_rule), numbered(theirs_of_rule))
            continue
        result.equal(f"value of {name}", value, want)
    requests = values[len(commands) - 4]["totals"]["requests"]
    result.equal("CSV", cells(ours / "r.csv", True), cells(theirs / "r.csv", False))
    for part in ("success", "failure"):
        result.equal(f"JSON {part}", *(json.loads((place / f"r_{part}.json").read_text())
                                       for place in (ours, theirs)))
        result.equal(f"XML {part}", *(elements(place / f"r_{part}.xml") for place in (ours, theirs)))
    result.equal("JUnit", *(junit(place / "j.xml") for place in (ours, theirs)))
    result.equal("summary", *(json.loads((place / "s.json").read_text()) for place in (ours, theirs)))

    # Either opens the other's file.
    other = str(theirs / "runs.db")
    subprocess.run(["cp", other, str(ours / "theirs.db")], check=True)
    ours_of_theirs = ldctl.run([["LD_list_runs", ["theirs.db"]], ["LD_fetch_run_records", ["theirs.db", 1]],
                                ["LD_persist_records", ["theirs.db"]],
                                ["LD_diff_runs", ["theirs.db", 1, 1]], ["LD_diff_runs", ["runs.db", 1, 9, 0.5]]])
    theirs_of_theirs = reference.run([("LD_list_runs", [other]), ("LD_fetch_run_records", [other, 1]),
                                      ("LD_diff_runs", [other, 1, 1]), ("LD_diff_runs", [database, 1, 9, 0.5]),
                                      ("LD_list_runs", [database]), ("LD_fetch_run_records", [database, 1])])
    result.equal("their runs", ours_of_theirs[0], theirs_of_theirs[0])
    result.equal("their records", ours_of_theirs[1], theirs_of_theirs[1])
    result.equal("a run added to their file", ours_of_theirs[2], 2)
    result.equal("their diff", ours_of_theirs[3], theirs_of_theirs[2])
    result.equal("our diff", ours_of_theirs[4], theirs_of_theirs[3])
    own = ldctl.run([["LD_list_runs", ["runs.db"]], ["LD_fetch_run_records", ["runs.db", 1]]])
    result.equal("our runs, seen by both", own[0], theirs_of_theirs[4])
    result.equal("our records, seen by both", own[1], theirs_of_theirs[5])
    result.equal("records", len(own[1]), requests)
    again = reference.run([("LD_list_runs", [str(ours / "theirs.db")])])[0]
    result.equal("runs in the shared file", [run["id"] for run in again], [2, 1])

    for document in LINTED:
        value = ldctl.run([["LD_lint_action", [document]]])[0]
        want = reference.run([("LD_lint_action", [document])])[0]
        result.equal(f"lint of {short(document)}", value, want)
    for arguments in ([HAR], [HAR, ["shop"]], [HAR, None, ["ads", r"/b$"]], [{}], [{"log": {}}]):
        value = ldctl.run([["LD_har_to_tasks", arguments]])[0]
        result.equal("tasks of a HAR", value, reference.run([("LD_har_to_tasks", arguments)])[0])
    for recording in sorted(RECORDINGS.glob("*.har")):
        subprocess.run(["cp", recording, ours], check=True)
        value = ldctl.run([["LD_load_har", [recording.name]]])[0]
        want = reference.run([("LD_load_har", [str(recording)])])[0]
        result.equal(recording.name, value, want)
        value = ldctl.run([["LD_har_to_tasks", [value]]])[0]
        want = reference.run([("LD_har_to_tasks", [want])])[0]
        result.equal(f"tasks of {recording.name}", value, [not_followed(task) for task in want])
    arguments = [HAR, "http_user", 3, 2, 9, ["shop"], ["form"]]
    value = ldctl.run([["LD_har_to_action_json", arguments]])[0]
    result.equal("document of a HAR", value, reference.run([("LD_har_to_action_json", arguments)])[0])

    corrected(ldctl, result)
    return f"reports of {requests} requests", result


def not_followed(task):
    """The reference asserts the status of a recorded redirect and follows it, so that its own import fails when it is run."""
    if task.get("assertions", [{}])[0].get("value") not in (301, 302, 303, 307, 308):
        return task
    assertions = task.pop("assertions")
    return {**task, "allow_redirects": False, "assertions": assertions}


def junit(path):
    """A JUnit file without what only schemas require."""
    tag, attributes, text, children = elements(path)
    for name in ("errors", "skipped", "time", "timestamp", "hostname"):
        attributes.pop(name, None)
    children = [child for child in children if child[0] == "testcase"]
    for failure in (failure for case in children for failure in case[3]):
        failure[1].pop("type", None)
    return [tag, attributes, text, children]


def corrected(ldctl, result):
    """Where the reference is wrong, and ldctl on purpose is not like it."""
    empty = {"totals": {"requests": 0, "failures": 0, "failure_rate": 0.0}, "latency_overall": {}}
    zero = ldctl.run([["LD_evaluate_sla", [[{"type": "failure_rate", "value": 1}], empty]],
                      ["LD_evaluate_sla", [[{"type": "failure_rate", "value": 1}]]]])
    result.equal("a gate over zero requests", [value[0]["passed"] for value in zero], [False, False])


def main(description, reference_of, compare):
    """Compares in two directories, with a target in this process; `compare` returns what it compared, and how."""
    arguments = options(description).parse_args()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Target)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory() as directory:
        ours, theirs = pathlib.Path(directory, "ours"), pathlib.Path(directory, "theirs")
        ours.mkdir()
        theirs.mkdir()
        ldctl, reference = Ldctl(arguments.ldctl, ours), reference_of(arguments.reference, theirs)
        target = f"http://127.0.0.1:{server.server_address[1]}"
        what, result = compare(ldctl, reference, ours, theirs, target)
    server.shutdown()
    print(f"{what}: {result.same} equal, {result.different} different")
    return 1 if result.different else 0


if __name__ == "__main__":
    sys.exit(main(__doc__, Reference, compare))
