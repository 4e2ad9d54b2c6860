#!/usr/bin/env python3
"""One document through LoadDensity and through ldctl: their dashboards must show figures of the same keys and kinds.

Both make the same small test: ldctl is asked while it runs, LoadDensity, whose dashboard does not respond
then, after it. The page of a test (`web_ui_dict`) is asked while both run. Needs an interpreter with
je_load_density==0.0.79; loopback only; ends only what it started. Exit status 1 on a difference.

  dashboard.py --ldctl target/release/ldctl --reference VENV/bin/python
"""

import csv
import http.server
import io
import json
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request

from support.script import free_port, options

DEADLINE = 60  # seconds for anything here: a first import of the reference takes some


class Target(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        status = 500 if self.path == "/bad" else 200
        self.send_response(status)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_):
        pass


class Targets(http.server.ThreadingHTTPServer):
    def handle_error(self, *_):
        """Clients that are killed say nothing of interest."""


def get(port, path):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
            return answer.status, answer.headers.get_content_type(), answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers.get_content_type(), error.read()


def until(what, process, question):
    """The first answer that is true, within the deadline."""
    end = time.monotonic() + DEADLINE
    while time.monotonic() < end:
        if process.poll() is not None:
            sys.exit(f"dashboard: the process has ended before {what}: {process.returncode}")
        try:
            answer = question()
        except (OSError, urllib.error.URLError):
            answer = None
        if answer:
            return answer
        time.sleep(0.1)
    sys.exit(f"dashboard: {what} did not happen within {DEADLINE} s")


def form(value):
    """Keys in their order and kinds; of a list the kinds that its items have."""
    if isinstance(value, dict):
        return {key: form(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return sorted({json.dumps(form(item)) for item in value})
    return type(value).__name__


def first_event(port):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/events", timeout=10) as stream:
        kind = stream.headers.get_content_type()
        line = stream.readline()
        return kind, line.startswith(b"data: ") and json.loads(line[6:]), stream.readline()


def look_at_test(name, command, port):
    """What the page of a test says in Locust's form while it runs."""
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:

        def busy():
            shown = json.loads(get(port, "/stats/requests")[2])
            rates = [row["current_rps"] for row in shown["stats"]]
            percentiles = shown["current_response_time_percentiles"].values()
            return shown if shown["errors"] and all(rates) and None not in percentiles else None

        seen = {"/stats/requests": until(f"{name}'s requests", process, busy)}
        seen["rows"] = [(row["method"], row["name"]) for row in seen["/stats/requests"]["stats"]]
        for path in ("/stats/requests/csv", "/stats/failures/csv"):
            kind, text = get(port, path)[1:]
            rows = list(csv.reader(io.StringIO(text.decode())))
            seen[path] = (kind, rows[0], [row[:2] for row in rows[1:]])
        for path in ("/exceptions", "/worker-count", "/tasks"):
            status, kind, text = get(port, path)
            seen[path] = (status, kind, json.loads(text))
        # The lines of its log are each program's own.
        status, kind, text = get(port, "/logs")
        logs = json.loads(text)
        seen["/logs"] = (status, kind, {key: type(value).__name__ for key, value in logs.items()}, logs["workers"])
        seen["/exceptions/csv"] = get(port, "/exceptions/csv")
        seen["/stats/requests_full_history/csv"] = get(port, "/stats/requests_full_history/csv")[0]
        for path in ("/stats/report", "/stats/report?download=1"):
            status, kind, page = get(port, path)
            seen[path] = (status, kind, all(name in page for name in (b"ok", b"bad")))
        seen["refused"] = [get(port, path)[0] for path in ("/swarm", "/stop", "/stats/reset")]
        return seen
    finally:
        process.kill()
        process.wait()


def look(name, command, port):
    """What a dashboard shows once there are requests."""
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        until(f"{name}'s page", process, lambda: get(port, "/")[0] == 200)
        seen = {path: get(port, path)[:2] for path in ("/", "/index.html", "/snapshot", "/else")}
        seen["missing"] = get(port, "/else")[2]

        def busy():
            shown = json.loads(get(port, "/snapshot")[2])
            # Both kinds of windows are there.
            kinds = {window["p50_ms"] is None for window in shown["latency_windows"]}
            return shown if shown["totals"]["failures"] and shown["per_name"] and len(kinds) == 2 else None

        seen["snapshot"] = until(f"{name}'s requests", process, busy)
        kind, event, blank = first_event(port)
        seen["events"] = (kind, form(event), blank)
        return seen
    finally:
        process.kill()
        process.wait()


def main():
    arguments = options(__doc__).parse_args()
    target = Targets(("127.0.0.1", 0), Target)
    threading.Thread(target=target.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{target.server_address[1]}"

    def document(port):
        return [
            ["LD_start_dashboard", {"port": port, "refresh_seconds": 0.5, "window_seconds": 5}],
            ["LD_start_test", {
                "user_detail_dict": {"user": "fast_http_user"}, "user_count": 2, "spawn_rate": 2, "test_time": 30,
                "tasks": [{"method": "get", "request_url": f"{url}/ok", "name": "ok"},
                          {"method": "get", "request_url": f"{url}/bad", "name": "bad"}]}],
        ]  # fmt: skip

    failed = 0
    with tempfile.TemporaryDirectory() as directory:
        port = free_port()
        # Its dashboard does not respond while its own process makes the load, so it is asked afterwards.
        script = (
            "import json, sys, time\nfrom je_load_density import execute_action\n"
            "dashboard, test = json.loads(sys.argv[1])\ntest[1]['test_time'] = 3\n"
            "execute_action([test])\nexecute_action([dashboard])\ntime.sleep(600)\n"
        )
        theirs = look("the reference", [arguments.reference, "-c", script, json.dumps(document(port))], port)
        port = free_port()
        path = f"{directory}/document.json"
        with open(path, "w", encoding="utf-8") as file:
            json.dump(document(port), file)
        ours = look("ldctl", [arguments.ldctl, "run", "--data-dir", directory, path], port)
        # Locust's page responds while the load is made.
        plain = "import json, sys\nfrom je_load_density import execute_action\nexecute_action(json.loads(sys.argv[1]))\n"

        def shown(port):
            test = document(port)[1]
            test[1]["web_ui_dict"] = {"host": "127.0.0.1", "port": port}
            return [test]

        port = free_port()
        command = [arguments.reference, "-c", plain, json.dumps(shown(port))]
        theirs |= look_at_test("the reference's test", command, port)
        port = free_port()
        with open(path, "w", encoding="utf-8") as file:
            json.dump(shown(port), file)
        ours |= look_at_test("ldctl's test", [arguments.ldctl, "run", "--data-dir", directory, path], port)
    for what in theirs:
        expected, got = theirs[what], ours[what]
        if what == "snapshot":
            for key in ("totals", "latency_overall", "per_name", "latency_windows"):
                if len(expected[key]) != len(got[key]):
                    failed += 1
                    print(f"DIFFERS  the length of {key}: {len(expected[key])}, not {len(got[key])}")
            expected, got = form(expected), form(got)
            same = json.dumps(expected) == json.dumps(got)
        elif what == "/stats/requests":
            expected, got = form(expected), form(got)
            same = json.dumps(expected) == json.dumps(got)
        else:
            same = expected == got
        if not same:
            failed += 1
            print(f"DIFFERS  {what}\n  expected {expected!r}\n  got      {got!r}")
    print(f"dashboard: {len(theirs)} compared, {failed} differ")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
