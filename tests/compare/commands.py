#!/usr/bin/env python3
"""Compares what ldctl and the reference return for the commands that need no load test: each is called
in both on inputs of several kinds, in directories with the same files, over the same records.

ldctl makes the records; the reference takes them from the file in which ldctl has kept them. What a
command writes is read by a parser of its format. Where ldctl is meant to differ (docs/differences.md),
the case says so: the results must differ then, and in what both must hold.

usage: commands.py --ldctl PATH --reference PYTHON
PYTHON is an interpreter with je_load_density 0.0.79. Standard library only; loopback only.
Exit status 1 if anything differs that should not, or is equal that should differ.
"""

import argparse
import json
import pathlib
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from http.server import ThreadingHTTPServer

from reports import Comparison, Ldctl, Target, short

# Runs in the reference's interpreter: one JSON object of commands on stdin, their values on stdout.
HELPER = """
import contextlib, io, json, os, sys
printed = io.StringIO()
with contextlib.redirect_stdout(printed):
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
        try:
            if isinstance(arguments, dict):
                values.append(executor.event_dict[name](**arguments))
            else:
                values.append(executor.event_dict[name](*arguments))
        except Exception as error:
            values.append({"failed": str(error), "type": type(error).__name__})
json.dump([values, printed.getvalue()], sys.stdout, default=str)
"""

SUMMARY = {"totals": {"requests": 100, "successes": 98, "failures": 2, "failure_rate": 0.02},
           "latency_overall": {"count": 98, "p50_ms": 10.5, "p90_ms": 20.0, "p95_ms": 30.25, "p99_ms": 44.0,
                               "max_ms": 50.0}, "per_name": {}}


def changed(**figures):
    summary = json.loads(json.dumps(SUMMARY))
    for key, value in figures.items():
        summary["latency_overall" if key.endswith("_ms") else "totals"][key] = value
    return summary


# Commands over records, files and arguments; equal in both.
EQUAL = [
    ["LD_trend_runs", ["runs.db"]],
    ["LD_trend_runs", ["runs.db", 1]],
    ["LD_trend_runs", ["runs.db", 2, "ok"]],
    ["LD_trend_runs", {"database_path": "runs.db", "limit": -1, "name_filter": ""}],
    ["LD_trend_runs", ["runs.db", 5, "nobody"]],
    ["LD_calibrate_sla", ["runs.db"]],
    ["LD_calibrate_sla", ["runs.db", 1, 0]],
    ["LD_calibrate_sla", ["runs.db", 10, 33.3, "ok"]],
    ["LD_calibrate_sla", ["runs.db", 0]],
    ["LD_cluster_errors", []],
    ["LD_cluster_errors", [[]]],
    ["LD_cluster_errors", [[
        {"error": "timeout after 500 ms", "name": "a"}, {"error": "timeout after 900 ms", "name": "b"},
        {"error": "at 0xdeadBEEF 'x' \"y z\" 12", "name": None}, {"status_code": 503}, {"error": None}, {},
        {"error": "job 6f9619ff-8b86-d011-b42d-00cf4fc964ff of 7 failed, x7 8y 9", "name": 5},
        {"error": "  żółć " * 60, "name": "é"}]]],
    ["LD_canary_verdict", [SUMMARY, SUMMARY, []]],
    ["LD_canary_verdict", [SUMMARY, changed(p95_ms=33.0), []]],
    ["LD_canary_verdict", [SUMMARY, changed(p95_ms=40.0, failure_rate=0.5), [], 50]],
    ["LD_canary_verdict", [SUMMARY, changed(p99_ms=40.0), [{"type": "latency_p95", "value": 3}], 0]],
    ["LD_canary_verdict", [{}, {}, []]],
    ["LD_tag_run", ["runs.db", 1, {"owner": "me", "n": 5, "on": True, "é": None}]],
    ["LD_tag_run", ["runs.db", 2, {"owner": "me"}]],
    ["LD_tag_run", ["runs.db", 1, {"n": [1, "x"]}]],
    ["LD_tag_run", ["runs.db", 77, {"owner": "me"}]],
    ["LD_list_tags", ["runs.db", 1]],
    ["LD_list_tags", ["runs.db", 5]],
    ["LD_search_runs_by_tag", ["runs.db", "owner", "me"]],
    ["LD_search_runs_by_tag", ["runs.db", "n", [1, "x"]]],
    ["LD_search_runs_by_tag", ["runs.db", "on", True]],
    ["LD_search_runs_by_tag", ["runs.db", "owner", "nobody"]],
    ["LD_append_audit_entry", ["audit.jsonl", "run", "me", {"é": [1, 2.5, None]}]],
    ["LD_append_audit_entry", {"log_path": "audit.jsonl", "action": "stop"}],
    ["LD_read_audit_log", ["none.jsonl"]],
    ["LD_read_audit_log", ["log.jsonl"]],
    ["LD_index_catalog", [["catalog", "none"]]],
    ["LD_index_catalog", [[]]],
    *[["LD_search_catalog", {"entries": [
        {"path": "a", "name": "Checkout", "owner": "shop", "tags": ["smoke", "x"], "description": "Buys"},
        {"path": "b", "name": "login", "owner": "", "tags": [], "description": ""}], **wanted}]
      for wanted in ({}, {"tag": "smoke"}, {"tag": "smo"}, {"owner": "shop"}, {"text": "BUY"}, {"text": "in"},
                     {"tag": "x", "owner": "other"}, {"tag": None, "owner": "", "text": None})],
    ["LD_verify_share_link", ["nodot", "s"]],
    ["LD_verify_share_link", ["a.b", "s"]],
]

# What both are given, and how they differ: a predicate over ldctl's and the reference's value.
DIFFERENT = [
    ("a passed gate is no reason for a rollback",
     ["LD_canary_verdict", [SUMMARY, SUMMARY, [{"type": "latency_p95", "value": 50}]]],
     lambda ours, theirs: (ours["verdict"], theirs["verdict"]) == ("promote", "rollback")),
    ("a failure rate that rises from 0 is a regression",
     ["LD_canary_verdict", [changed(failure_rate=0), changed(failure_rate=0.9), []]],
     lambda ours, theirs: (ours["verdict"], theirs["verdict"]) == ("rollback", "promote")),
    ("a database that does not exist has no runs",
     ["LD_trend_runs", ["new.db"]],
     lambda ours, theirs: ours == {"per_run": [], "per_name": {}} and "no such table" in theirs["failed"]),
    ("a database that does not exist has no runs to calibrate by",
     ["LD_calibrate_sla", ["new.db"]],
     lambda ours, theirs: ours == [] and "no such table" in theirs["failed"]),
    ("secrets are not stored",
     ["LD_append_audit_entry", ["secret.jsonl", "x", "y", {"password": "s3cret"}]],
     lambda ours, theirs: ours is None and theirs is None),
    ("a line end in a title does not end its command",
     ["LD_emit_github_annotations", ["a\n::b"]],
     lambda ours, theirs: ours == theirs),
]

CATALOG = {
    "catalog/a.json": {"load_density": [["LD_summary"]], "metadata": {
        "name": "A", "owner": "shop", "tags": ["smoke", 5], "description": "first"}},
    "catalog/sub/b.json": {"metadata": {"tags": "one"}},
    "catalog/list.json": [["LD_summary"]],
    "catalog/odd.json": {"metadata": [1]},
}


def prepare(place):
    for name, document in CATALOG.items():
        path = place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(document))
    (place / "catalog/broken.json").write_text("{")
    (place / "catalog/note.txt").write_text("x")
    (place / "log.jsonl").write_text('{"a": 1}\n\n  [2]  \nbroken\n"x"\n')


class Reference:
    def __init__(self, python, place):
        self.python, self.place = python, place

    def run(self, commands, records=None):
        job = json.dumps({"commands": commands, "records": records})
        done = subprocess.run([self.python, "-c", HELPER], input=job, cwd=self.place, text=True,
                              capture_output=True, timeout=300)
        if done.returncode:
            sys.exit(f"the reference failed: {done.stderr}")
        return json.loads(done.stdout)


def normal(name, value):
    """A value without what depends on the moment or on the order of directory entries."""
    if isinstance(value, dict) and "failed" in value:
        return {"failed": value["failed"].removeprefix(f"{name}: ")}
    if name == "LD_index_catalog":
        return sorted(value, key=lambda entry: entry["path"])
    return value


def entries(path):
    found = [json.loads(line) for line in path.read_text().splitlines()]
    for entry in found:
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", entry.pop("timestamp"))
    return found


def compare(ldctl, reference, ours, theirs, base):
    result = Comparison()
    tasks = [{"method": "get", "request_url": f"{base}/{path}", "name": name} for path, name in
             (("ok/1", "ok one"), ("bad/2", "bad & <two>"), ("ok/3", ""))]
    tasks.append({"method": "get", "request_url": "http://127.0.0.1:1/refused", "name": "refused"})
    tasks.append({"method": "get", "request_url": f"{base}/ok", "name": "ok asserted",
                  "assertions": [{"type": "contains", "value": "100% of 'it'\n, 5"}]})
    test = ["LD_start_test", {"user_detail_dict": {"user": "fast_http_user"}, "tasks": tasks, "user_count": 2,
                              "spawn_rate": 100, "test_time": 0.5, "wait_time": 0.05}]
    persist = ["LD_persist_records", ["runs.db", "label"]]
    made = ldctl.run([["LD_start_test", {**test[1], "test_time": 0.2}], persist, ["LD_clear_records"], test, persist])
    if any(isinstance(value, dict) and "failed" in value for value in made):
        sys.exit(f"no records: {made}")
    for place in (ours, theirs):
        prepare(place)
    shutil.copy(ours / "runs.db", theirs / "runs.db")
    # The records are those of the second run.
    restore = [test, ["LD_persist_records", ["again.db", "label"]]]
    values = ldctl.run([*restore, *EQUAL, *(command for _, command, _ in DIFFERENT)])[len(restore):]
    shutil.copy(ours / "again.db", theirs / "again.db")
    expected, printed = reference.run([*EQUAL, *(command for _, command, _ in DIFFERENT)], records=["again.db", 1])
    for command, value, want in zip(EQUAL, values, expected):
        result.equal(short(command), normal(command[0], value), normal(command[0], want))
    for (what, command, holds), value, want in zip(DIFFERENT, values[len(EQUAL):], expected[len(EQUAL):]):
        result.equal(f"{what}: ldctl {short(value)}, reference {short(want)}", bool(holds(value, want)), True)
    result.equal("audit log", entries(ours / "audit.jsonl"), entries(theirs / "audit.jsonl"))
    result.equal("no secret in a log", "s3cret" in (ours / "secret.jsonl").read_text(), False)
    result.equal("tags in the file", *(tags(place / "runs.db") for place in (ours, theirs)))
    annotations(ldctl, reference, result, restore[0], ours, theirs)
    links(ldctl, reference, result)
    return result


def tags(path):
    connection = sqlite3.connect(path)
    schema = connection.execute("SELECT sql FROM sqlite_schema WHERE tbl_name = 'load_density_run_tags' AND sql NOT NULL")
    schema = sorted(" ".join(row[0].split()) for row in schema)
    return [list(row) for row in connection.execute("SELECT * FROM load_density_run_tags ORDER BY 1, 2")], schema


def annotations(ldctl, reference, result, test, ours, theirs):
    """Lines on stdout, which ldctl returns as well."""
    for number, title in enumerate(("LoadDensity", "a: b, 100%", "")):
        file = f"notes{number}.db"
        actions = [test, ["LD_persist_records", [file]], ["LD_emit_github_annotations", [title]]]
        done = subprocess.run([ldctl.program, "run", "-", "--output", "json"], input=json.dumps(actions), cwd=ours,
                              text=True, capture_output=True, timeout=120)
        events = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
        value = [event for event in events if event["event"] == "result"][-1]["value"]
        shutil.copy(ours / file, theirs / file)
        [count], printed = reference.run([["LD_emit_github_annotations", [title]]], records=[file, 1])
        # The reference takes the statuses of stored records as text, "0" among them.
        want = sorted(printed.replace(" (HTTP 0)", "").splitlines())
        result.equal(f"annotations with the title {title!r}", [value["count"], sorted(value["lines"])], [count, want])


def links(ldctl, reference, result):
    """Each verifies what the other has issued."""
    issue = ["LD_issue_share_link", ["https://x.test/view/", "a b.html", "këy", 100, {"z": [1, None], "é": {"b": 1, "a": "ü"}}]]
    [ours], [[theirs], _] = ldctl.run([issue]), reference.run([issue])
    tokens = [link.split("?token=")[1] for link in (ours, theirs)]
    result.equal("the page of a link", ours.split("?token=")[0], theirs.split("?token=")[0])
    verify = [["LD_verify_share_link", [token, secret]] for token in tokens for secret in ("këy", "other")]
    checked = [ldctl.run(verify), reference.run(verify)[0]]
    claims = []
    for values in checked:
        result.equal("a wrong secret", [value["failed"] for value in values[1::2]], ["bad signature"] * 2)
        for value in values[::2]:
            result.equal("the time of a link", 90 < value["exp"] - time.time() <= 101, True)
        claims.append([{**value, "exp": 0} for value in values[::2]])
    result.equal("claims of links", claims[0], claims[1])
    shapes = [sorted(type(member).__name__ for member in value.values()) for value in claims[0]]
    result.equal("claims of both", shapes[0], shapes[1])
    old = reference.run([["LD_issue_share_link", ["https://x/", "p", "s", 60, {"exp": 5}]]])[0][0]
    result.equal("claims do not replace the time", ldctl.run([["LD_verify_share_link", [old.split("=", 1)[1], "s"]]])[0]["p"], "p")


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--ldctl", required=True)
    arguments.add_argument("--reference", required=True)
    options = arguments.parse_args()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Target)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory() as directory:
        ours, theirs = pathlib.Path(directory, "ours"), pathlib.Path(directory, "theirs")
        ours.mkdir()
        theirs.mkdir()
        ldctl, reference = Ldctl(options.ldctl, ours), Reference(options.reference, theirs)
        result = compare(ldctl, reference, ours, theirs, f"http://127.0.0.1:{server.server_address[1]}")
    server.shutdown()
    print(f"commands: {result.same} equal, {result.different} different")
    return 1 if result.different else 0


if __name__ == "__main__":
    sys.exit(main())
