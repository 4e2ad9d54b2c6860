#!/usr/bin/env python3
"""A real Prometheus scrapes a server while a load test runs, and must end with the summary's figures.

  prometheus.py --ldctl target/release/ldctl [--reference IGNORED]

Needs prometheus and promtool (Debian's package `prometheus`), else the standard library; loopback
only; ends only what it started. Exit status 1 on a difference.
"""

import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

from support.script import free_port, options

DEADLINE = 60  # seconds for anything here

NAMES = {"/ok": 'quotes " and \\ and é', "/bad": "fails"}

# What promtool says of names that are the reference's, which dashboards know.
KNOWN_ADVICE = "loaddensity_request_latency_ms"


def get(url, headers=None):
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers or {}), timeout=10) as answer:
        return answer.read().decode()


def until(what, question):
    """The first answer that is not None, within the deadline."""
    end = time.monotonic() + DEADLINE
    while time.monotonic() < end:
        try:
            answer = question()
        except (OSError, urllib.error.URLError):
            answer = None
        if answer is not None:
            return answer
        time.sleep(0.1)
    sys.exit(f"prometheus: {what} did not happen within {DEADLINE} s")


class Prometheus:
    def __init__(self, binary, directory, target):
        self.port = free_port()
        config = pathlib.Path(directory, "prometheus.json")
        # JSON is YAML.
        config.write_text(json.dumps({
            "global": {"scrape_interval": "1s", "scrape_timeout": "1s"},
            "scrape_configs": [{"job_name": "ldctl", "static_configs": [{"targets": [target]}]}],
        }))
        self.process = subprocess.Popen(
            [binary, f"--config.file={config}", f"--storage.tsdb.path={directory}/data",
             f"--web.listen-address=127.0.0.1:{self.port}"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def ask(self, path, **parameters):
        query = urllib.parse.urlencode(parameters)
        return json.loads(get(f"http://127.0.0.1:{self.port}/api/v1/{path}?{query}"))["data"]

    def samples(self, query):
        """Samples by their labels, without Prometheus' own."""
        return {
            tuple(sorted((key, value) for key, value in sample["metric"].items()
                         if key not in ("__name__", "instance", "job"))): float(sample["value"][1])
            for sample in self.ask("query", query=query)["result"]
        }  # fmt: skip

    def scraped(self):
        """The target's health and what went wrong, once it was scraped."""
        for target in self.ask("targets")["activeTargets"]:
            if target["health"] != "unknown":
                return target["health"], target["lastError"]
        return None


def document(base, stub_port, metrics_port):
    rules = [{"path": "/ok", "body": "x" * 300}, {"path": "/bad", "status": 503}]
    return [
        ["LD_start_stub_server", {"rules": rules, "port": stub_port}],
        ["LD_start_prometheus_exporter", [metrics_port]],
        ["LD_start_test", {
            "user_detail_dict": {"user": "fast_http_user", "host": base},
            "user_count": 4, "spawn_rate": 4, "test_time": 4, "wait_time": 0.02,
            "tasks": [{"method": "get", "url": url, "name": name} for url, name in NAMES.items()]}],
        ["LD_summary"],
    ]  # fmt: skip


def ldctl_send(ldctl, port, actions):
    done = subprocess.run(
        [ldctl, "send", "-", "--port", str(port), "--output", "json"],
        input=json.dumps(actions), text=True, capture_output=True, timeout=DEADLINE,
    )  # fmt: skip
    events = [json.loads(line) for line in done.stdout.splitlines()]
    failed = [event for event in events if event["event"] == "result" and not event["ok"]]
    if done.returncode or failed:
        sys.exit(f"prometheus: ldctl send failed: {failed} {done.stderr}")
    return [event["value"] for event in events if event["event"] == "result"]


def compare(prometheus, totals, per_name):
    """Differences between what Prometheus stored and what the summary says."""
    faults = []

    def expect(what, got, wanted):
        if got != wanted:
            faults.append(f"{what}: Prometheus has {got}, the summary {wanted}")

    # The last scrape may be a second behind.
    def complete():
        stored = prometheus.samples("loaddensity_requests_total")
        return stored if sum(stored.values()) >= totals["requests"] else None

    stored = until("the last scrape", complete)
    expect("requests", sum(stored.values()), totals["requests"])
    expect("outcomes", {dict(labels)["outcome"] for labels in stored}, {"success", "failure"})
    for name, figures in per_name.items():
        of_name = sum(count for labels, count in stored.items() if dict(labels)["name"] == name)
        expect(f"requests of {name!r}", of_name, figures["requests"])
    failures = sum(count for labels, count in stored.items() if dict(labels)["outcome"] == "failure")
    expect("failures", failures, totals["failures"])
    counts = prometheus.samples("loaddensity_request_latency_ms_count")
    expect("latencies", sum(counts.values()), totals["requests"])
    last = prometheus.samples('loaddensity_request_latency_ms_bucket{le="+Inf"}')
    expect("the last bucket", sum(last.values()), totals["requests"])
    sizes = prometheus.samples("loaddensity_response_bytes_count")
    expect("response sizes", sum(sizes.values()), totals["requests"])
    if not prometheus.samples("histogram_quantile(0.95, loaddensity_request_latency_ms_bucket)"):
        faults.append("Prometheus makes no percentile of the buckets")
    return faults


def check_metrics(promtool, text):
    """What promtool objects to, but for the names that are the reference's."""
    done = subprocess.run([promtool, "check", "metrics"], input=text, text=True, capture_output=True, timeout=DEADLINE)
    said = (done.stdout + done.stderr).splitlines()
    return [line for line in said if line.strip() and not line.startswith(KNOWN_ADVICE)]


def main():
    ldctl = options(__doc__, reference=False).parse_args().ldctl
    binary, promtool = shutil.which("prometheus"), shutil.which("promtool")
    if not (binary and promtool):
        sys.exit("prometheus: not installed; Debian's package is called prometheus")
    stub_port, metrics_port = free_port(), free_port()
    running = []
    with tempfile.TemporaryDirectory() as directory:
        try:
            server = subprocess.Popen([ldctl, "serve", "--port", "0"], cwd=directory, text=True,
                                      stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
            running.append(server)
            port = int(server.stdout.readline().rsplit(":", 1)[1])
            prometheus = Prometheus(binary, directory, f"127.0.0.1:{metrics_port}")
            running.append(prometheus.process)
            until("Prometheus' start", lambda: get(f"http://127.0.0.1:{prometheus.port}/-/ready"))
            *_, summary = ldctl_send(ldctl, port, document(f"http://127.0.0.1:{stub_port}", stub_port, metrics_port))
            faults = compare(prometheus, summary["totals"], summary["per_name"])
            health = until("a scrape", prometheus.scraped)
            if health != ("up", ""):
                faults.append(f"the target's health is {health}")
            faults += check_metrics(promtool, get(f"http://127.0.0.1:{metrics_port}/metrics"))
        finally:
            for process in running:
                process.terminate()
                process.wait(timeout=DEADLINE)
    for fault in faults:
        print(f"FAULT {fault}")
    requests = summary["totals"]["requests"]
    print(f"Prometheus after {requests} requests: {'differs' if faults else 'has the same figures'}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
