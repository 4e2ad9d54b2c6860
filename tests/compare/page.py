#!/usr/bin/env python3
"""Opens the HTML report in headless Chromium: it loads nothing, its console stays silent, its script
runs under its own content security policy, and its structure is what a reader needs.

usage: page.py --ldctl PATH [--reference IGNORED] [--screenshots DIRECTORY]
Standard library only; the target is a stub server of ldctl on loopback. Without Chromium it says so
and passes, for the page's text is tested elsewhere; in CI it must be there. Exit status 1 on a fault.
"""

import html.parser
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile

from support.script import options

HOSTILE = '<img src=x onerror=alert(1)>"\'&amp;'

RULES = [{"path": "/ok", "body": "x" * 300}, {"path": "/bad", "status": 503}]

STYLES = {"light": [], "dark": ["--blink-settings=preferredColorScheme=0"]}


def run(ldctl, directory, actions):
    done = subprocess.run([ldctl, "run", "--no-check", "-", "--output", "json"], input=json.dumps(actions),
                          cwd=directory, text=True, capture_output=True, timeout=60)
    results = [json.loads(line) for line in done.stdout.splitlines()]
    failed = [result for result in results if result["event"] == "result" and not result["ok"]]
    if done.returncode or failed:
        sys.exit(f"ldctl failed: {failed} {done.stderr}")


def report(ldctl, directory):
    """A page of a short run with successes, failures and hostile names."""
    # The document must name the port before its stub server runs.
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    base = f"http://127.0.0.1:{port}"
    stub = ["LD_start_stub_server", {"rules": RULES, "port": port}]
    test = ["LD_start_test", {
        "user_detail_dict": {"user": "fast_http_user", "host": base},
        "user_count": 4, "spawn_rate": 4, "test_time": 2, "wait_time": 0.02,
        "tasks": [{"method": "get", "url": "/ok", "name": HOSTILE,
                   "headers": {"Authorization": "Bearer not-to-be-seen"}},
                  {"method": "get", "url": "/bad", "name": "checkout"}]}]
    gates = [{"type": "failure_rate", "value": 0.01}, {"type": "latency_p95", "value": 60000}]
    run(ldctl, directory, [stub, test, ["LD_generate_html_report", ["page", gates]]])
    return pathlib.Path(directory, "page.html")


class Structure(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.classes, self.text, self.sources = [], [], [], []

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.tags.append(tag)
        self.classes += (attributes.get("class") or "").split()
        self.sources += [attributes[key] for key in ("src", "href") if key in attributes]

    def handle_data(self, data):
        self.text.append(data)


def chromium(browser, *arguments):
    with tempfile.TemporaryDirectory() as profile:
        command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
                   "--enable-logging=stderr", f"--user-data-dir={profile}", *arguments]
        return subprocess.run(command, text=True, capture_output=True, timeout=120)


def check(page, browser):
    faults = []
    shown = chromium(browser, "--dump-dom", page.as_uri())
    console = [line for line in shown.stderr.splitlines() if "CONSOLE" in line]
    if console:
        faults.append(f"the console is not silent: {console}")
    structure = Structure()
    structure.feed(shown.stdout)
    count = structure.tags.count
    text = " ".join(structure.text)
    for what, holds in [
        ("one heading above all", count("h1") == 1),
        ("five charts, and two or three of each name", count("figure") == 10 and count("path") >= 30),
        ("a button to sort each column, made by the script", count("button") == 20),
        ("the verdict in words", "Failed: 1 of 2 gates broken" in text),
        ("the hostile name as text", HOSTILE in text and count("img") == 0),
        ("the broken gate with units", "at most 1 %" in text),
        ("a title of its own", "127.0.0.1" in text or "stdin" in text),
        ("the error with its count", "503 Service Unavailable" in text),
        ("the document without its secret", "LD_start_test" in text and "not-to-be-seen" not in text),
        ("nothing that is loaded from elsewhere", structure.sources == []),
        ("users, rate and percentiles", {"users", "rate", "p50", "p95", "p99"} <= set(structure.classes)),
        ("at most 300 KB", page.stat().st_size <= 300_000),
    ]:
        if not holds:
            faults.append(f"missing: {what}")
    return faults


def main():
    parser = options(__doc__, reference=False)
    parser.add_argument("--screenshots")
    arguments = parser.parse_args()
    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    if browser is None:
        print("report page: no chromium here, not opened")
        return 1 if os.environ.get("CI") else 0
    with tempfile.TemporaryDirectory() as directory:
        page = report(arguments.ldctl, directory)
        faults = check(page, browser)
        for style, flags in STYLES.items() if arguments.screenshots else ():
            picture = pathlib.Path(arguments.screenshots).resolve() / f"report-{style}.png"
            chromium(browser, "--window-size=1280,2000", f"--screenshot={picture}", *flags, page.as_uri())
    for fault in faults:
        print(f"FAULT {fault}")
    print(f"report page in Chromium: {'faulty' if faults else 'sound'}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
