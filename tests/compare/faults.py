#!/usr/bin/env python3
"""Faults that cargo alone cannot make, by their numbers: f02 a disk that is really full, f03 syncing
that fails, f09 a wall clock that jumps.

usage: faults.py --ldctl PATH [--reference IGNORED]
Standard library only, no network but loopback. Needs strace, libfaketime, and unshare with the right
to mount (root, or user namespaces). What is missing is named and fails: nothing is skipped. Exit
status 1 on a fault.
"""

import argparse
import glob
import http.server
import json
import os
import pathlib
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading

from support.script import options

DEADLINE = 120  # seconds for anything here


class Target(http.server.BaseHTTPRequestHandler):
    """What the load tests here request: a test without one success fails."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def target():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Target)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}"


HOST = target()

TEST = ["LD_start_test", {
    "user_detail_dict": {"host": HOST}, "user_count": 1, "test_time": 0.2, "wait_time": 0,
    "tasks": [{"method": "get", "url": "/"}]}]

# The commands that write a file, and the file.
WRITERS = [
    (["LD_generate_html_report", ["run"]], "run.html"),
    (["LD_generate_csv_report", ["run"]], "run.csv"),
    (["LD_generate_summary_report", ["run"]], "run.json"),
    (["LD_generate_junit_report", ["run"]], "run.xml"),
    (["LD_persist_records", ["runs.db"]], "runs.db"),
]

# What SQLite keeps beside its file while it is in use, and after a crash until the next use.
COMPANIONS = {"runs.db-wal", "runs.db-shm"}


class Checks:
    def __init__(self):
        self.passed = 0
        self.failed = 0

    def that(self, what, holds, seen=""):
        if holds:
            self.passed += 1
        else:
            self.failed += 1
            print(f"FAULT  {what}\n  {str(seen)[:1000]}")


def run(ldctl, directory, actions, before=()):
    """What each action gave, and the exit code."""
    done = subprocess.run(
        [*before, ldctl, "run", "-", "--output", "json", "--data-dir", directory],
        input=json.dumps(actions), text=True, capture_output=True, timeout=DEADLINE)
    events = [json.loads(line) for line in done.stdout.splitlines()]
    return [event for event in events if event["event"] == "result"], done


def content(directory):
    return {path.name: path.read_bytes() for path in pathlib.Path(directory).iterdir()}


def runs(directory):
    """How many runs the database holds, or what is wrong with it: by a copy, for SQLite cannot even
    read where it cannot write."""
    with tempfile.TemporaryDirectory() as room:
        for name in ("runs.db", "runs.db-wal"):
            if pathlib.Path(directory, name).exists():
                shutil.copy(pathlib.Path(directory, name), room)
        database = sqlite3.connect(pathlib.Path(room, "runs.db"))
        sound = database.execute("PRAGMA integrity_check").fetchone()[0]
        count = database.execute("SELECT count(*) FROM load_density_runs").fetchone()[0]
        database.close()
    return count if sound == "ok" else sound


def same_files(checks, what, directory, before):
    """Every file is as it was and no temporary one is left."""
    after = content(directory)
    names = set(after) - COMPANIONS
    checks.that(f"{what}: no file is left over", names == set(before), sorted(after))
    changed = [name for name in before if name != "runs.db" and after.get(name) != before[name]]
    checks.that(f"{what}: the old files are there", not changed, changed)


def full_disk(checks, ldctl, directory):
    """f02, within a mount of its own."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "none", directory], check=True)
    done = run(ldctl, directory, [TEST, *(action for action, _ in WRITERS)])[1]
    checks.that("f02 with room", done.returncode == 0, done)
    before = content(directory)
    filler = pathlib.Path(directory, "filler")
    with open(filler, "wb", buffering=0) as out:
        try:
            while out.write(b"x" * 4096):
                pass
        except OSError:
            pass
    before["filler"] = filler.read_bytes()
    results, done = run(ldctl, directory, [TEST, *(action for action, _ in WRITERS)])
    checks.that("f02 full: exit code 1", done.returncode == 1, done)
    for (action, file), result in zip(WRITERS, results[1:]):
        why = result.get("error", {}).get("message", "")
        named = not result["ok"] and file in why and ("No space left" in why or "free space" in why)
        checks.that(f"f02 full: {action[0]} says so and names {file}", named, result)
    same_files(checks, "f02 full", directory, before)
    checks.that("f02 full: the database is as it was", runs(directory) == 1, runs(directory))
    filler.unlink()
    done = run(ldctl, directory, [TEST, *(action for action, _ in WRITERS)])[1]
    checks.that("f02 with room again", done.returncode == 0, done)
    checks.that("f02 with room again: both runs are there", runs(directory) == 2, runs(directory))


def failing_sync(checks, ldctl, directory):
    """f03: the first sync fails, which is that of the file, then the second, which is that of its
    directory, then all."""
    run(ldctl, directory, [TEST, *(action for action, _ in WRITERS)])
    for when in ("1", "2", "1+"):
        for action, file in WRITERS:
            what = f"f03 sync {when} fails: {action[0]}"
            before, held = content(directory), runs(directory)
            trace = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=fsync,fdatasync",
                     "-e", f"inject=fsync,fdatasync:error=EIO:when={when}"]
            results, done = run(ldctl, directory, [TEST, action], trace)
            result = results[1] if len(results) == 2 else done
            known = runs(directory)
            if action[0] == "LD_persist_records":
                # Which of SQLite's syncs fails decides whether it matters; what it says must hold.
                acknowledged = len(results) == 2 and result["ok"]
                checks.that(f"{what}: what is acknowledged is there", known >= held + acknowledged, result)
                checks.that(f"{what}: a failure names the file", acknowledged or file in str(result), result)
                checks.that(f"{what}: it matters when nothing can be synced", when != "1+" or not acknowledged, result)
                same_files(checks, what, directory, before)
                continue
            why = result.get("error", {}).get("message", "") if isinstance(result, dict) else str(result)
            checks.that(f"{what}: it fails and names {file}", file in why and "Input/output error" in why, result)
            # When the directory's sync fails the new file is there, whole.
            if when == "2":
                before[file] = content(directory).get(file)
                checks.that(f"{what}: the new file is whole", len(before[file] or b"") > 50, before[file])
            same_files(checks, what, directory, before)


def faketime():
    found = glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1") + glob.glob("/usr/lib/faketime/libfaketimeMT.so.1")
    if not found:
        sys.exit("libfaketime is not installed")
    return found[0]


def events(client):
    for line in client.stdout:
        yield json.loads(line)


def clock_jump(checks, ldctl, directory):
    """f09: the wall clock jumps a day ahead and then 400 days back during a test."""
    offset = pathlib.Path(directory, "offset")

    def jump(to):
        # Renamed, for it is read at any moment.
        pathlib.Path(directory, "next").write_text(to)
        os.replace(pathlib.Path(directory, "next"), offset)

    jump("+0d\n")
    environment = {**os.environ, "LD_PRELOAD": faketime(), "FAKETIME_TIMESTAMP_FILE": str(offset),
                   "FAKETIME_NO_CACHE": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_MONOTONIC": "1"}
    environment.pop("LOAD_DENSITY_SOCKET_TOKEN", None)
    plain = {name: value for name, value in os.environ.items() if name != "LOAD_DENSITY_SOCKET_TOKEN"}
    server = subprocess.Popen(
        [ldctl, "serve", "--port", "0", "--request-timeout", "600", "--data-dir", directory],
        stdout=subprocess.PIPE, text=True, env=environment)
    try:
        port = server.stdout.readline().strip().rsplit(":", 1)[1]
        silent = socket.create_connection(("127.0.0.1", int(port)))
        test = ["LD_start_test", {
            "user_detail_dict": {"user": "fast_http_user", "host": HOST}, "user_count": 2,
            "test_time": 4, "wait_time": 0.01, "tasks": [{"method": "get", "request_url": "/"}]}]
        later = {**TEST[1], "test_time": 0.1}
        document = [test, ["LD_summary"], ["LD_persist_records", ["runs.db"]], ["LD_clear_records"],
                    ["LD_start_test", later], ["LD_persist_records", ["runs.db"]], ["LD_list_runs", ["runs.db"]]]
        client = subprocess.Popen(
            [ldctl, "send", "--port", port, "--output", "json", "--json", json.dumps(document)],
            stdout=subprocess.PIPE, text=True, env=plain)
        jumps = iter(["+1d\n", "-400d\n"])
        results, elapsed, done = {}, [], {}
        for event in events(client):
            if event["event"] == "progress":
                elapsed.append(event["elapsed_s"])
                to = next(jumps, None)
                if to:
                    jump(to)
            elif event["event"] == "result":
                results[event["index"]] = event
            elif event["event"] == "done":
                done = event
        client.wait(timeout=DEADLINE)
        checks.that("f09 every action is done", client.returncode == 0, results)
        checks.that("f09 there was time to jump twice", len(elapsed) >= 3, elapsed)
        rising = all(early < late for early, late in zip(elapsed, elapsed[1:]))
        checks.that("f09 progress only rises", rising and elapsed[-1] < 3600, elapsed)
        checks.that("f09 the document's time is that of a clock which never jumps", 4 <= done.get("elapsed_s", 0) < 3600, done)
        overall = results[1]["value"]["latency_overall"]
        checks.that("f09 no request took less than nothing or a day", 0 < overall["max_ms"] < 3600e3, overall)
        days = [run["started_at"][:10] for run in results[6]["value"]]
        checks.that("f09 the wall clock has jumped", len(set(days)) == 2 and days[0] < days[1], days)
        silent.setblocking(False)
        try:
            heard = silent.recv(1)
        except BlockingIOError:
            heard = None
        checks.that("f09 a deadline has not come early", heard is None, heard)
        ping = subprocess.run([ldctl, "ping", "--port", port], capture_output=True, text=True, env=plain, timeout=DEADLINE)
        uptime = float(ping.stdout.split(", up ")[1].split(" s")[0]) if ", up " in ping.stdout else -1
        checks.that("f09 the uptime has not jumped", 4 <= uptime < 3600, ping)
    finally:
        server.terminate()
        server.wait(timeout=DEADLINE)
        server.stdout.close()


def main():
    parser = options(__doc__, reference=False)
    parser.add_argument("--full-disk", help=argparse.SUPPRESS, metavar="DIRECTORY")
    arguments = parser.parse_args()
    checks = Checks()
    if arguments.full_disk:
        full_disk(checks, arguments.ldctl, arguments.full_disk)
    else:
        for program in ("strace", "unshare"):
            if not shutil.which(program):
                sys.exit(f"{program} is not installed")
        # The mount lives and dies with a process of its own.
        with tempfile.TemporaryDirectory() as directory:
            inside = ["unshare", "--map-root-user", "--mount", sys.executable, __file__,
                      "--ldctl", arguments.ldctl, "--full-disk", directory]
            done = subprocess.run(inside, timeout=DEADLINE)
            checks.that("f02", done.returncode == 0, done)
        for fault in (failing_sync, clock_jump):
            with tempfile.TemporaryDirectory() as directory:
                fault(checks, arguments.ldctl, directory)
    name = "faults of a full disk" if arguments.full_disk else "faults"
    print(f"{name}: {checks.passed} checks passed, {checks.failed} failed")
    return 1 if checks.failed else 0


if __name__ == "__main__":
    sys.exit(main())
