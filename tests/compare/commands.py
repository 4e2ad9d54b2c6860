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

import json
import pathlib
import random
import re
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
import xml.etree.ElementTree as ElementTree
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from reports import Comparison, main, short

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
            named = isinstance(arguments, dict)
            command = executor.event_dict[name]
            if name.startswith("LD_jmeter_to"):  # Its argument is an element, which no document can hold.
                arguments = [executor.event_dict["LD_load_jmeter_jmx"](arguments[0]), *arguments[1:]]
            value = command(**arguments) if named else command(*arguments)
            json.dumps(value, default=str)  # An integer of many digits fails here, as in a reply.
            values.append(value)
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


def formats():
    """Values and specifications for `format`: every part of Python's mini-language, by chance, but the same ones each time."""
    chance = random.Random(5)
    numbers = [0, 1, -1, 97, 255, -255, 1234, -1234567, 10 ** 15, 2 ** 70, 8364, True, 1.0, -0.0, -1.5, 0.5, 2.5, 1234.5, 0.001234,
               1e-5, 1e-4, 9.9995, 999999.5, 1e15, 1e16, 1e17, -0.01, 1e22, 5e-324, 1.7e308, 3.14159265358979]
    texts = ["", "a", "żó🦀", "hello world"]
    for _ in range(1500):
        # A part, and how often in a hundred it is there.
        parts = [(40, lambda: chance.choice(["", "*", "0", "x", "é", "<"]) + chance.choice("<>=^")), (30, lambda: chance.choice("+- ")),
                 (10, lambda: "z"), (20, lambda: "#"), (30, lambda: "0"), (50, lambda: str(chance.randint(0, 25))),
                 (30, lambda: chance.choice(",_")), (4, lambda: chance.choice(",_")),
                 (40, lambda: "." + chance.choice(["0", "1", "2", "3", "5", "10", "17", "20", ""])),
                 (80, lambda: chance.choice("bcdoxXneEfFgG%sqé"))]
        specification = "".join(part() for share, part in parts if chance.randrange(100) < share)
        yield chance.choice(numbers * 3 + texts), specification


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
    *[["LD_format_action_document", [document]] for document in (
        [["LD_start_test", {"tasks": [{"json": {}, "timeout": 5, "name": "n", "method": "get", "url": "/"}, 5],
                            "user_detail_dict": {}}], ["LD_summary"], ["x", [1]]],
        {"load_density": [["LD_start_test", {"tasks": [{"url": "/", "method": "get"}]}]]},
        {"load_density": 5}, {}, [], None, "x")],
    *[["LD_format_action_string", [text, *indent]] for text in (
        '[["LD_start_test", {"tasks": [{"url": "/é", "method": "get", "json": {"a": [], "b": {}, "c": [1, 2.50, 1e20]}}]}]]',
        '{"load_density": [["LD_summary"]]}', '[]', '"x"', 'null')
      for indent in ([], [4], [0])],
    ["LD_format_action_file", ["format.json"]],
    *[["LD_read_action_yaml", [f"{name}.yaml"]] for name in ("plain", "odd", "anchors", "empty", "text")],
    *[["LD_read_action_toml", [f"{name}.toml"]] for name in ("plain", "odd")],
    ["LD_write_action_yaml", ["written.yaml", {"load_density": [["LD_start_test", {"a": None, "b": [True, 1.5, 1e20, "yes",
        "1:30", "a: b", "é", "", " x ", "a\nb", "it's", "2026-01-01", "#x", "- x", 12345678901234567890], "c": {}, "d": []}]]}]],
    ["LD_read_action_yaml", ["written.yaml"]],
    ["LD_write_action_yaml", ["scalar.yaml", "x"]],
    ["LD_read_action_yaml", ["scalar.yaml"]],
    ["LD_write_action_toml", ["written.toml", {"load_density": [["LD_start_test", {"a": True, "b": [1, 1.5, "x\"y\\", 1e20], "c": {}}]], "n": 5}]],
    ["LD_read_action_toml", ["written.toml"]],
    ["LD_write_action_toml", ["list.toml", [1]]],
    ["LD_write_action_toml", ["null.toml", {"a": [None]}]],
    *[["LD_pii_scrub_string", [text]] for text in (
        "", "mail a.b+c@d-e.example.test, or x@y", "a@b.com_x@c.de %a@b.cd", "call +48 123-456-789.", "++12345678",
        "4111 1111 1111 1111 x", "12345678901234567890 1", "12 345678 9x", "x12345678", "1234-5678-9012-3456-789 00",
        "10.0.0.1 and 1.2.3.4.5 and 999.999.999.999", "żółw@x.pl ١٢٣٤٥٦٧٨ 1234567", "1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0")],
    ["LD_pii_scrub", [{"user": "ann@example.test", "Password": "x", "api-key": 5, "tokens": {"a": "b 10.0.0.1"},
                       "list": ["+48123456789", None, 1.5, {"my_SECRET_x": ""}]}]],
    *[[name, arguments] for name, several in {
        "all": ([[1, "x", []]], [[]], ["ab"], [5], []), "any": ([[0, None, "x"]], [{}], [[]]),
        "ascii": (["żé🦀"], [["a", "é"]], []), "repr": ([["a", None, 1.0]], ["it's"]), "callable": (["len"], [5]),
        "bin": ([-5], [True], [2 ** 70], [1.5]), "oct": ([8],), "hex": ([255], [-1], ["x"]),
        "chr": ([8364], [65], [1114112], [-1], ["x"]), "ord": (["€"], ["ab"], [5], [""]),
        "divmod": ([-7, 2], [7, -2], [-7.5, 2], [7, 0], [1.5, 0], [2 ** 70, 3], [0.0, -3], [1, "x"], [1]),
        "pow": ([2, 100], [2, -1], [-3, 5, 7], [3, -1, 7], [2, -1, 4], [0, 0], [2.5, 2], [0, -1], [2, 3, 0], [1, 2, 1.5],
                [-1, 10 ** 30], [10, 5000], ["x", 1], [2]),
        "format": ([1234.5, ",.2f"], [255, "#06x"], [0.256, ".1%"], [12345.678, ".2e"], ["ab", "*^7.1s"], [-5, "+05d"],
                   [[1]], [True, "d"], ["x", "d"], [1.5], [1.5, ">8"], [1e30, ".3f"], [5, "^+9d"], [10 ** 20, "_d"],
                   [255, "b"], [0.125, ".2f"], [2.5, ".0f"], [1, "q"], [5, ".2d"], [None, "x"], ["ab", ">5"], [1e-7, "E"]),
    }.items() for arguments in several],
    *[["format", [value, specification]] for value, specification in formats()],
    ["LD_uninstall_network_conditioner", []],
    ["LD_uninstall_failure_budget", []],
    ["LD_build_user_pool", [0]],
    ["LD_build_user_pool", [-3]],
    ["LD_generate_excel_report", ["excel", "a label"]],
    ["LD_generate_sarif_report", ["sarif"]],
    ["LD_generate_sarif_report", {"report_name": "more", "tool_version": "2", "extra_records": [
        {"name": "a", "error": "b", "Method": "GET", "status_code": 5, "response_time_ms": 1.5},
        {"test_url": "u", "status_code": 404}, {}]}],
    ["LD_generate_allure_report", ["allure", "a label"]],
    ["LD_generate_cost_report", ["cost0"]],
    ["LD_generate_cost_report", ["cost1", 1234.5, 3, 0.2, 12, 0.0912345, {"a": 1.23456, "b": 2}]],
    ["LD_generate_cost_report", {"report_name": "cost2", "duration_seconds": 60, "extras_usd": {}}],
    ["LD_verify_share_link", ["a.b", "s"]],
]

# What both are given, and how they differ: a predicate over ldctl's and the reference's value.
DIFFERENT = [
    ("a passed gate is no reason for a rollback",
     ["LD_canary_verdict", [SUMMARY, SUMMARY, [{"type": "latency_p95", "value": 50}]]],
     lambda ours, theirs: (ours["verdict"], theirs["verdict"]) == ("promote", "rollback")),
    ("a search for the largest load takes a test, and no function",
     ["LD_find_breaking_point", {"probe": "f", "min_users": 1, "max_users": 5}],
     lambda ours, theirs: "LD_find_breaking_point" in ours["failed"] and theirs["failed"] == "'str' object is not callable"),
    ("an installed network is told by its arguments",
     ["LD_install_network_conditioner", {"latency_ms": 5, "loss_rate": 0.5, "name_filter": "x"}],
     lambda ours, theirs: ours == {"latency_ms": 5.0, "jitter_ms": 0.0, "loss_rate": 0.5, "name_filter": "x"}
     and theirs == "NetworkConditioner(latency_ms=5, jitter_ms=0.0, loss_rate=0.5, name_filter='x')"),
    ("a loss above 1 is refused",
     ["LD_install_network_conditioner", [0, 0, 1.5]],
     lambda ours, theirs: "/loss_rate" in ours["failed"] and theirs.startswith("NetworkConditioner(")),
    ("an installed failure budget is told by its arguments",
     ["LD_install_failure_budget", [0.1, 10, 5]],
     lambda ours, theirs: ours == {"threshold": 0.1, "window_seconds": 10.0, "min_samples": 5}
     and theirs.startswith("FailureBudget(threshold=0.1, window_seconds=10, min_samples=5")),
    ("a failure budget has no callback",
     ["LD_install_failure_budget", {"runner_quit_callback": "f"}],
     lambda ours, theirs: "runner_quit_callback" in ours["failed"] and theirs.startswith("FailureBudget(")),
    ("a format that is wider than memory is refused",
     ["format", [5, "10001d"]],
     lambda ours, theirs: ours["failed"] == "Too many decimal digits in format string" and len(theirs) == 10001),
    ("a failure rate that rises from 0 is a regression",
     ["LD_canary_verdict", [changed(failure_rate=0), changed(failure_rate=0.9), []]],
     lambda ours, theirs: (ours["verdict"], theirs["verdict"]) == ("rollback", "promote")),
    ("tasks below a mode are formatted, too",
     ["LD_format_action_document", [
         [["LD_start_test", {"tasks": {"mode": "sequence", "tasks": [{"url": "/", "method": "get"}]}}]]]],
     lambda ours, theirs: [list(value[0][1]["tasks"]["tasks"][0]) for value in (ours, theirs)]
     == [["method", "url"], ["url", "method"]]),
    ("a candidate that measured nothing is not promoted",
     ["LD_canary_verdict", [{}, {}, []]],
     lambda ours, theirs: (ours["verdict"], theirs["verdict"]) == ("rollback", "promote")),
    ("a database that does not exist has no runs",
     ["LD_trend_runs", ["new.db"]],
     lambda ours, theirs: ours == {"per_run": [], "per_name": {}} and "no such table" in theirs["failed"]),
    ("a database that does not exist has no runs to calibrate by",
     ["LD_calibrate_sla", ["new.db"]],
     lambda ours, theirs: ours == [] and "no such table" in theirs["failed"]),
    ("formatting keeps the members of a document",
     ["LD_format_action_document", [{"load_density": [], "metadata": {"name": "x"}}]],
     lambda ours, theirs: ours == {"load_density": [], "metadata": {"name": "x"}} and theirs == {"load_density": []}),
    ("a text with a line end is written as TOML that can be read",
     ["LD_write_action_toml", ["lines.toml", {"a": "x\ny"}]], lambda ours, theirs: ours is None and theirs is None),
    ("and is read", ["LD_read_action_toml", ["lines.toml"]],
     lambda ours, theirs: ours == {"a": "x\ny"} and "failed" in theirs),
    ("a date in YAML stays text", ["LD_read_action_yaml", ["date.yaml"]],
     lambda ours, theirs: ours == theirs == {"a": "2026-01-01"}),
    ("keys in YAML are text", ["LD_read_action_yaml", ["keys.yaml"]],
     lambda ours, theirs: ours == {"1": "a", "true": "b"}),
    ("a file that does not exist", ["LD_read_action_yaml", ["none.yaml"]],
     lambda ours, theirs: "none.yaml" in ours["failed"] and theirs["failed"] == "can't find JSON file"),
    ("secrets are not stored",
     ["LD_append_audit_entry", ["secret.jsonl", "x", "y", {"password": "s3cret"}]],
     lambda ours, theirs: ours is None and theirs is None),
    ("a line end in a title does not end its command",
     ["LD_emit_github_annotations", ["a\n::b"]],
     lambda ours, theirs: ours == theirs),
]

FILES = {
    "format.json": '{"load_density": [["LD_start_test", {"tasks": [{"url": "/", "method": "get"}]}]]}',
    "plain.yaml": "load_density:\n- - LD_start_test\n  - user_count: 5\n    tasks:\n    - {method: get, url: 'http://x/'}\n",
    "odd.yaml": "# a comment\n- [yes, No, on, ~, null, '', 010, 0x1f, 0b11, 1_000, 1:30, 1e3, 1.5e+3, .5, -.5, 1., y, 08]\n"
                "- {a: !!str 5, b: !!int '7', c: !!float 3, d: \"\\x41\\u00e9\\n\"}\n- ? x\n  : y\n- >-\n  folded\n  text\n\n  end\n",
    "anchors.yaml": "base: &b {x: 1, y: 2}\nmore: {<<: *b, y: 3}\nlist: [*b, *b]\nboth: {<<: [{x: 5}, *b], z: 1}\n",
    "empty.yaml": "",
    "text.yaml": "a: |\n  one\n   two\n\nb: |+\n  x\n\nc: 'it''s'\nd: plain text with spaces\ne: http://x/#y\n",
    "date.yaml": "a: 2026-01-01\n",
    "keys.yaml": "1: a\ntrue: b\n",
    "plain.toml": 'load_density = [["LD_start_test", {user_count = 5, tasks = [{method = "get"}]}]]\n[metadata]\nname = "x"\n',
    "odd.toml": "z = 0x1f\na = 1_000\nf = 1e3\ng = -0.5\ninf = [1, 2.5, true]\n\"a b\".c = '''x\ny\n'''\n[[t]]\nk = 1\n[[t]]\nk = 2\n",
}

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
    for name, text in FILES.items():
        (place / name).write_text(text)
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
    if name in ("LD_generate_sarif_report", "LD_generate_excel_report", "LD_generate_allure_report", "LD_generate_cost_report"):
        return pathlib.Path(value).name
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
    result.equal("format.json", *((place / "format.json").read_text() for place in (ours, theirs)))
    for ending in ("yaml", "toml"):
        command = f"LD_read_action_{ending}"
        read = [reference.run([[command, [str(place / f"written.{ending}")]]])[0] for place in (ours, theirs)]
        result.equal(f"written {ending}, read by the reference", *read)
    for name in ("sarif.sarif.json", "more.sarif.json", "cost0.json", "cost1.json", "cost2.json"):
        result.equal(name, *(typed(json.loads((place / name).read_text())) for place in (ours, theirs)))
    result.equal("Excel", *(sheet(place / "excel.xlsx") for place in (ours, theirs)))
    result.equal("Allure", *(allure(place / "allure") for place in (ours, theirs)))
    service_map(ldctl, reference, result, base, ours, theirs)
    users(ldctl, reference, result)
    messages(ldctl, reference, result)
    annotations(ldctl, reference, result, restore[0], ours, theirs)
    links(ldctl, reference, result)
    return "commands", result


def typed(value):
    """Statuses of stored records are text in the reference."""
    if isinstance(value, dict):
        return {key: str(member) if key == "status_code" else typed(member) for key, member in value.items()}
    return [typed(member) for member in value] if isinstance(value, list) else value


def sheet(path):
    """The cells of an Excel file, and its other parts."""
    main = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        root = ElementTree.fromstring(archive.read("xl/worksheets/sheet1.xml"))
        label = archive.read("docProps/loaddensity.txt").decode()
        names = sorted(archive.namelist())
    cells = [[(cell.get("r"), "".join(cell.itertext())) for cell in row] for row in root.iter(f"{main}row")]
    return [[(place, plain(text)) for place, text in row] for row in cells], label, names


def plain(text):
    try:
        return float(text)
    except ValueError:
        return text


def allure(directory):
    """The results in a directory without what each run has of its own."""
    found = []
    for path in directory.glob("*-result.json"):
        result = json.loads(path.read_text())
        assert path.name == f"{result.pop('uuid')}-result.json"
        found.append({**result, "start": 0, "stop": result["stop"] - result["start"]})
    found.sort(key=lambda result: json.dumps(result))
    return found, (directory / "environment.properties").read_text()


def service_map(ldctl, reference, result, base, ours, theirs):
    """Of one user; between several the reference counts steps that nobody made."""
    tasks = [{"method": "get", "request_url": f"{base}/ok", "name": name} for name in ("a", "b", "b", "c")]
    test = ["LD_start_test", {"user_detail_dict": {"user": "fast_http_user"}, "tasks": tasks, "user_count": 1,
                              "test_time": 0.5, "wait_time": 0}]
    ldctl.run([test, ["LD_persist_records", ["map.db"]], ["LD_generate_service_map", ["map"]],
               ["LD_generate_service_map", ["few", 1000000]]])
    shutil.copy(ours / "map.db", theirs / "map.db")
    reference.run([["LD_generate_service_map", ["map"]], ["LD_generate_service_map", ["few", 1000000]]], records=["map.db", 1])
    for name in ("map.json", "few.json"):
        maps = [json.loads((place / name).read_text()) for place in (ours, theirs)]
        for graph in maps:
            graph["edges"].sort(key=lambda edge: (edge["source"], edge["target"]))
        result.equal(name, *maps)
    ldctl.run([["LD_start_test", {**test[1], "user_count": 5, "spawn_rate": 100}], ["LD_generate_service_map", ["users"]]])
    edges = {(edge["source"], edge["target"]) for edge in json.loads((ours / "users.json").read_text())["edges"]}
    result.equal("steps of several users", sorted(edges), [("a", "b"), ("b", "c"), ("c", "a")])


def users(ldctl, reference, result):
    """Random data in the same forms."""
    commands = [["LD_build_user_pool", [20, {"role": "x"}]], ["LD_build_user", {}]]
    for values in (ldctl.run(commands), reference.run(commands)[0]):
        for user in [*values[0], values[1]]:
            forms = {"email": r"user_[0-9a-f]{8}@example\.test", "username": r"user_[0-9a-f]{6}",
                     "password": r"[A-Za-z0-9!@#$%^&*]{16}", "uuid_hex": r"[0-9a-f]{32}", "int_id": r"\d{1,10}"}
            result.equal("a user", [key for key in forms if not re.fullmatch(forms[key], str(user[key]))], [])
        result.equal("members of users", [list(values[0][0]), list(values[1])], [[*forms, "role"], list(forms)])


class Receiver(BaseHTTPRequestHandler):
    """Keeps what is posted."""
    got = []

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        headers = {name: self.headers[name] for name in ("Content-Type", "Authorization", "Private-Token")}
        self.got.append([self.path, headers, json.loads(body)])
        self.send_response(404 if self.path.endswith("/none") else 202)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def messages(ldctl, reference, result):
    """What notifiers post."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_address[1]}"
    odd = {"totals": {"requests": 3, "failures": 0, "failure_rate": 0}, "latency_overall": {"p95_ms": 2.5}}
    commands = [[name, {**arguments, "summary": summary, **more}] for summary in (SUMMARY, odd, {})
                for name, arguments in (
                    ("LD_post_slack_summary", {"webhook_url": f"{url}/services/T?x=1"}),
                    ("LD_post_teams_summary", {"webhook_url": f"{url}/hook"}),
                    ("LD_post_pagerduty_event", {"routing_key": "key", "api_url": f"{url}/v2/enqueue"}),
                    ("LD_post_opsgenie_alert", {"api_key": "key", "api_url": f"{url}/v2/alerts"}),
                    ("LD_post_gitlab_mr_summary", {"project_id": "shop/a b~é", "merge_request_iid": 7, "token": "key",
                                                   "base_url": f"{url}/api/v4/"}))
                for more in ([{}, {"message": "é"}] if "opsgenie" in name else [{}, {"title": "Żółw \"x\""}])]
    commands.append(["LD_post_slack_summary", [f"{url}/none", SUMMARY]])
    values, got = [], []
    for run in (ldctl.run, lambda commands: reference.run(commands)[0]):
        Receiver.got.clear()
        values.append(run(commands))
        got.append(list(Receiver.got))
    for command, ours, theirs in zip(commands, *got, strict=True):
        result.equal(f"what is posted by {short(command)}", ours, theirs)
    result.equal("statuses", values[0][:-1], values[1][:-1])
    failed = [value[-1]["failed"] for value in values]
    result.equal("a refusal", ["404 Not Found" in failed[0], failed[1]], [True, "HTTP Error 404: Not Found"])
    server.shutdown()


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
        done = subprocess.run([ldctl.program, "run", "--no-check", "-", "--output", "json"], input=json.dumps(actions), cwd=ours,
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


if __name__ == "__main__":
    sys.exit(main(__doc__, Reference, compare))
