#!/usr/bin/env python3
"""Uses the web door as people do, in headless Chromium: logs in, starts a pasted document, watches its
figures move, loses the server and finds it again, stops, downloads and compares; on a desktop and on a
phone, in light and dark. Its console stays silent, nothing comes from elsewhere, nothing is wider than
the screen, and axe-core finds nothing serious.

usage: web_page.py --ldctl PATH [--reference IGNORED] [--screenshots DIRECTORY] [--axe axe.min.js]
The target is a stub server of ldctl on loopback. Needs Playwright's package and the system's Chromium;
axe-core comes from npm. Without them it says so and passes, except in CI. Exit status 1 on a fault.
"""

import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time

from support.script import free_port, options

TOKEN = "a token for a test in a browser"
HOSTILE = '<img src=x onerror=alert(1)>"\'&amp;'
# A disconnection is a line of the browser's own.
EXPECTED = re.compile(r"Failed to load resource: (net::ERR_|the server responded with a status of (401|409))"
                      r"|net::ERR_(CONNECTION_REFUSED|INCOMPLETE_CHUNKED_ENCODING|EMPTY_RESPONSE)")


class Server:
    """A server with a history, which can be restarted on the same ports."""

    def __init__(self, ldctl, directory):
        self.ldctl, self.directory = ldctl, directory
        self.port, self.target = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.start()

    def start(self):
        environment = {**os.environ, "LOAD_DENSITY_SOCKET_TOKEN": TOKEN}
        self.process = subprocess.Popen(
            [self.ldctl, "serve", "--port", "0", "--web", f"127.0.0.1:{self.port}",
             "--data-dir", self.directory, "--history", os.path.join(self.directory, "history.db")],
            cwd=self.directory, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)

    def stop(self):
        self.process.terminate()
        try:
            self.process.communicate(timeout=30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise


def document(seconds, port):
    rules = [{"path": "/ok", "body": "x" * 300}, {"path": "/bad", "status": 503}]
    tasks = [{"method": "get", "url": "/ok", "name": f"{HOSTILE} {number}"} for number in range(25)]
    tasks.append({"method": "get", "url": "/bad", "name": "checkout"})
    return json.dumps([
        ["LD_start_stub_server", {"rules": rules, "port": port}],
        ["LD_start_test", {"user_detail_dict": {"user": "fast_http_user", "host": f"http://127.0.0.1:{port}"},
                           "user_count": 3, "spawn_rate": 100, "test_time": seconds, "wait_time": 0.01,
                           "tasks": tasks}]])


class Visit:
    """One browser with one look, and what it finds wrong."""

    def __init__(self, browser, server, width, scheme, arguments):
        self.context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme,
                                           accept_downloads=True)
        self.page = self.context.new_page()
        self.page.set_default_timeout(20_000)
        self.server, self.look, self.arguments = server, f"{width}-{scheme}", arguments
        self.faults, self.console = [], []
        self.page.on("console", lambda message: self.console.append(message.text))
        self.page.on("pageerror", lambda error: self.console.append(f"error: {error}"))
        self.page.on("request", self.requested)

    def requested(self, request):
        if not request.url.startswith((self.server.url, "data:", "blob:")):
            self.faults.append(f"a request to {request.url}")

    def expect(self, what, holds):
        if not holds:
            self.faults.append(f"missing: {what}")

    def figure(self, name):
        return float(self.page.get_attribute(f'[data-figure="{name}"]', "data-value") or "nan")

    def until(self, what, holds):
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            try:
                if holds():
                    return
            except Exception:  # It may be replaced while it is looked at.
                pass
            self.page.wait_for_timeout(100)
        self.faults.append(f"never: {what}")

    def looked_at(self, name):
        """Nothing is wider than the screen, and everybody can use it."""
        wide = self.page.evaluate("document.documentElement.scrollWidth - innerWidth")
        self.expect(f"room for {name} ({wide} pixels too wide)", wide <= 0)
        self.expect(f"{name} without markup of others", self.page.locator("img").count() == 0)
        if self.arguments.axe:
            self.page.evaluate(pathlib.Path(self.arguments.axe).read_text())
            found = self.page.evaluate("axe.run(document, {resultTypes: ['violations']})")
            for fault in found["violations"]:
                if fault["impact"] in ("serious", "critical"):
                    places = [node["target"] for node in fault["nodes"][:3]]
                    self.faults.append(f"{name}: {fault['id']}: {fault['help']} at {places}")
        if self.arguments.screenshots:
            picture = pathlib.Path(self.arguments.screenshots, f"web-{name}-{self.look}.png")
            self.page.screenshot(path=picture, full_page=True)

    def log_in(self):
        page = self.page
        page.goto(f"{self.server.url}/")
        self.expect("the login", page.url.endswith("/login?to=%2F"))
        page.fill("input[name=token]", TOKEN)
        page.keyboard.press("Enter")
        page.wait_for_selector("text=Runs of this server")

    def start(self, seconds):
        page = self.page
        page.goto(f"{self.server.url}/")
        page.fill("#document", '[["LD_sumary"]]')
        page.wait_for_selector("#findings li")
        self.looked_at("list")
        page.fill("#document", document(seconds, self.server.target))
        page.wait_for_selector("#findings .good, #findings .warn")
        page.fill(".starting input[name=name]", HOSTILE)
        page.click("button.go")
        page.wait_for_url("**/runs/*")
        return page.url.rsplit("/", 1)[1]

    def watch(self):
        page = self.page
        page.wait_for_selector('[data-figure="requests"]')
        first = self.figure("requests")
        path = page.get_attribute("section[data-part=course] path.rate >> nth=-1", "d")
        # A reader sorts, filters and shortens a table while it changes.
        page.fill("input[type=search]", "checkout")
        page.click("table.names th >> nth=1 >> button")
        self.until("more requests", lambda: self.figure("requests") > first + 20)
        self.until("a longer curve", lambda: page.get_attribute(
            "section[data-part=course] path.rate >> nth=-1", "d") != path)
        self.expect("failures", self.figure("failures") > 0)
        self.expect("three users", self.figure("users") == 3)
        self.expect("the filter", page.input_value("input[type=search]") == "checkout")
        self.expect("one name", page.locator("table.names tbody:visible").count() == 1)
        self.expect("the order", page.get_attribute("table.names th >> nth=1", "aria-sort") == "descending")
        self.expect("the verdict", "So far: " in page.inner_text(".verdict"))
        self.looked_at("running")

    def stop(self):
        self.page.click("button.stop")
        self.page.wait_for_selector('[data-state="cancelled"]')
        self.until("the end of its page", lambda: self.page.locator("button.stop").count() == 0)
        self.until("its statuses", lambda: "Requests by status" in self.page.inner_text("main"))
        self.looked_at("ended")

    def download(self, run):
        with self.page.expect_download() as download:
            self.page.click('a[href$="records.csv"]')
        name = download.value.suggested_filename
        self.expect("a file of the run", name == f"run-{run}-records.csv")

    def compare(self):
        page = self.page
        page.goto(f"{self.server.url}/")
        boxes = page.locator("input[name=run]")
        boxes.nth(0).focus()
        page.keyboard.press("Space")
        boxes.nth(1).check()
        page.click("text=Compare the two")
        page.wait_for_url("**/compare/*.html")
        self.expect("both runs", "than in run" in page.inner_text("body"))

    def reconnect(self):
        """The server crashes while somebody watches, and comes again."""
        page = self.page
        self.start(3600)
        page.wait_for_selector('[data-figure="requests"]')
        self.server.process.kill()
        self.server.process.wait()
        page.wait_for_selector("text=Disconnected, trying again")
        self.server.start()
        # Sessions end with their server.
        page.click("text=Log in again")
        page.fill("input[name=token]", TOKEN)
        page.keyboard.press("Enter")
        page.wait_for_selector("[data-state]")
        self.expect("the run as it ended", page.get_attribute("[data-state]", "data-state") != "running")

    def silent(self):
        for line in self.console:
            if not EXPECTED.search(line):
                self.faults.append(f"the console says {line!r}")


def axe(arguments, folder):
    if arguments.axe or shutil.which("npm") is None:
        return arguments.axe
    subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--silent", "--prefix", folder, "axe-core"],
                   capture_output=True, timeout=120)
    found = pathlib.Path(folder, "node_modules/axe-core/axe.min.js")
    return str(found) if found.exists() else None


def main():
    parser = options(__doc__, reference=False)
    parser.add_argument("--screenshots")
    parser.add_argument("--axe")
    arguments = parser.parse_args()
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        chromium = None
    if chromium is None:
        print("web page: no chromium or no playwright here, not opened")
        return 1 if os.environ.get("CI") else 0
    faults = []
    with tempfile.TemporaryDirectory() as directory, tempfile.TemporaryDirectory() as modules, \
            sync_playwright() as playwright:
        arguments.axe = axe(arguments, modules)
        if arguments.axe is None:
            print("web page: no axe-core here, its rules are NOT checked")
        server = Server(arguments.ldctl, directory)
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for _ in range(100):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", server.port)) == 0:
                    break
            time.sleep(0.1)
        try:
            for width, scheme in [(1400, "light"), (1400, "dark"), (400, "light"), (400, "dark")]:
                visit = Visit(browser, server, width, scheme, arguments)
                try:
                    visit.log_in()
                    run = visit.start(3600)
                    visit.watch()
                    visit.stop()
                    visit.download(run)
                    if int(run) > 1:
                        visit.compare()
                    visit.silent()
                    if (width, scheme) == (400, "dark"):
                        visit.reconnect()
                        visit.silent()
                except Exception as fault:
                    visit.faults.append(f"{fault}")
                faults += [f"{visit.look}: {fault}" for fault in visit.faults]
                visit.context.close()
        finally:
            browser.close()
            server.stop()
    for fault in faults:
        print(f"FAULT {fault}")
    print(f"web page in Chromium: {'faulty' if faults else 'sound'}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
