#!/usr/bin/env python3
"""Uses the web door as people do, in headless Chromium: logs in, starts a document that was pasted, dropped
or chosen, watches its figures, errors, statuses and the charts of a name move, loses the server and finds
it again, stops, downloads every file and compares two runs; on a desktop and on a phone, in light and dark,
by mouse and by keyboard alone. Its console stays silent, nothing comes from elsewhere, nothing is wider
than the screen, and axe-core finds nothing serious.

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
EXPECTED = re.compile(r"Failed to load resource: (net::ERR_|the server responded with a status of (400|401|404|409))"
                      r"|net::ERR_(CONNECTION_REFUSED|INCOMPLETE_CHUNKED_ENCODING|EMPTY_RESPONSE)")


class Server:
    """A server with a history, which can be restarted on the same ports."""

    def __init__(self, ldctl, directory):
        self.ldctl, self.directory = ldctl, directory
        self.port, self.target = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.is_new = True
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
        self.faults, self.console, self.proved = [], [], 0
        self.page.on("console", lambda message: self.console.append(message.text))
        self.page.on("pageerror", lambda error: self.console.append(f"error: {error}"))
        self.page.on("request", self.requested)

    def requested(self, request):
        if not request.url.startswith((self.server.url, "data:", "blob:")):
            self.faults.append(f"a request to {request.url}")

    def expect(self, what, holds):
        self.proved += 1
        if not holds:
            self.faults.append(f"missing: {what}")

    def figure(self, name):
        return float(self.page.get_attribute(f'[data-figure="{name}"]', "data-value") or "nan")

    def until(self, what, holds):
        self.proved += 1
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

    def empty(self):
        """Before the first run, and where a filter finds none."""
        page = self.page
        self.expect("what to do without a run", "There is no run yet. Start one below" in page.inner_text("main"))
        self.looked_at("empty")

    def filtered(self):
        page = self.page
        page.fill("input[type=search]", "no such name")
        page.wait_for_selector("text=No run is like that.")
        page.click("text=Show all runs")
        page.wait_for_selector("table.runs")

    def drop(self, selector, files):
        """Drops files as a file manager does: (name, bytes)."""
        files = [[name, list(content)] for name, content in files]
        self.page.eval_on_selector(selector, """(target, files) => {
            const data = new DataTransfer();
            for (const [name, bytes] of files) data.items.add(new File([new Uint8Array(bytes)], name));
            const tell = (kind) => target.dispatchEvent(
                new DragEvent(kind, { dataTransfer: data, bubbles: true, cancelable: true }));
            for (const kind of ["dragenter", "dragover"]) tell(kind);
            window.wasDropping = document.querySelector(".starting").classList.contains("dropping");
            tell("drop");
        }""", files)

    def refused(self, words):
        self.page.wait_for_function(
            "words => document.getElementById('refused').innerText.includes(words)", arg=words)
        self.proved += 1

    def drops(self):
        """A dropped or chosen file becomes the text of the form; what is no document says so."""
        page = self.page
        page.goto(f"{self.server.url}/")
        good = b'[["LD_summary"]]'
        self.drop("#document", [("checkout.json", good)])
        page.wait_for_selector("#findings .good")
        self.expect("the form shows where to drop", page.evaluate("wasDropping"))
        self.expect("nothing is left of that", page.locator(".dropping").count() == 0)
        self.expect("the text of the file", page.input_value("#document") == good.decode())
        self.expect("the name of the file", page.input_value(".starting input[name=name]") == "checkout")
        self.drop("button.go", [("weekly.json", b'[["LD_sumary"]]'), ("other.json", good)])
        page.wait_for_selector("#findings li")
        self.refused("weekly.json was taken; a run has one document")
        self.expect("the name of the next", page.input_value(".starting input[name=name]") == "weekly")
        page.fill(".starting input[name=name]", "mine")
        for name, content, words in [
                ("shop.har", b"{}", "ldctl convert makes one of recordings"),
                ("shop.yaml", b"a: 1", "shop.yaml was not taken: a document is JSON"),
                ("<b>.toml", b"a = 1", "<b>.toml was not taken"),
                ("picture.json", b"\xff\xd8\xff", "it is not text in UTF-8"),
                ("huge.json", b" " * (1 << 20) + b"1", "it is longer than 1 MiB")]:
            self.drop(".starting", [(name, content)])
            self.refused(words)
            self.expect(f"the text stays at {name}", page.input_value("#document") == '[["LD_sumary"]]')
        self.looked_at("refused")
        self.drop("h1", [("elsewhere.json", good)])
        self.expect("the page stays", page.url == f"{self.server.url}/")
        page.set_input_files("input[type=file]", [{"name": "chosen.json", "mimeType": "application/json",
                                                   "buffer": good}])
        page.wait_for_selector("#findings .good")
        self.expect("a name that was typed stays", page.input_value(".starting input[name=name]") == "mine")

    def busy(self, run):
        """A start that is refused says why at its place, and leads to the test that has it."""
        page = self.page
        page.goto(f"{self.server.url}/")
        page.fill("#document", document(5, free_port()))
        page.click("button.go")
        self.refused("It was not started: another test is running")
        self.expect("a link to it", page.get_attribute("#refused a", "href") == f"/runs/{run}")
        page.fill("#document", "[")
        page.wait_for_selector("#findings .bad")
        page.click("button.go")
        self.refused("It was not started: ")
        page.goto(f"{self.server.url}/runs/{run}")

    def keyboard(self):
        """Everything of the list and of a run is reached by Tab, in order, and shows where one is."""
        page = self.page
        reached, seen = [], set()
        page.evaluate("document.activeElement.blur()")
        for _ in range(200):
            page.keyboard.press("Tab")
            place = page.evaluate("""() => {
                const one = document.activeElement;
                if (one === document.body) return null;
                const style = getComputedStyle(one);
                const name = one.innerText || one.name || one.getAttribute("aria-label") || one.tagName;
                const all = [...document.querySelectorAll("a,button,input,summary,select,textarea,pre")];
                return [all.indexOf(one), name.slice(0, 40), style.outlineStyle !== "none"];
            }""")
            if place is None or place[0] in seen:
                break
            seen.add(place[0])
            reached.append(place)
        self.expect("an order", [place[0] for place in reached] == sorted(place[0] for place in reached))
        for _, name, outlined in reached:
            self.expect(f"an outline of {name}", outlined)
        return " | ".join(name for _, name, _ in reached)

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
        # Errors and statuses are counted while the test is in progress, as the total is.
        errors = lambda: int(page.get_attribute("table[data-what=errors] td[data-l=Count]", "data-v"))
        self.until("an error", lambda: "503" in page.inner_text("table[data-what=errors]"))
        before = errors()
        self.until("more errors", lambda: errors() > before)
        self.until("the statuses", lambda: "Requests by status" in page.inner_text("section[data-part=distribution]"))
        # A name is opened by keyboard, and its charts move while it stays open.
        page.focus("table.names summary:visible")
        page.keyboard.press("Enter")
        page.wait_for_selector("table.names tr.more:visible figure")
        curve = lambda: page.get_attribute("table.names tr.more:visible path.rate >> nth=-1", "d")
        drawn = curve()
        self.until("a longer curve of the name", lambda: curve() != drawn)
        self.expect("it stays open", page.locator("table.names details[open]").count() == 1)
        self.expect("the focus", page.evaluate("document.activeElement.tagName") == "SUMMARY")
        self.expect("charts of names that are closed are not sent", page.locator("table.names figure").count() == 3)
        self.looked_at("running")

    def stop(self):
        self.page.click("button.stop")
        self.page.wait_for_selector('[data-state="cancelled"]')
        self.until("the end of its page", lambda: self.page.locator("button.stop").count() == 0)
        self.until("its statuses", lambda: "Requests by status" in self.page.inner_text("main"))
        self.until("charts of all names", lambda: self.page.locator("table.names figure").count() > 3)
        self.expect("the filter stays", self.page.input_value("input[type=search]") == "checkout")
        self.expect("the name stays open", self.page.locator("table.names details[open]").count() == 1)
        self.looked_at("ended")
        self.page.reload()
        self.expect("the same without a stream", self.page.get_attribute("main", "data-live") is None)
        order = self.keyboard()
        for name in ["All runs", "Report (report.html)", "JUnit (junit.xml)", "Requests (records.csv)"]:
            self.expect(f"{name} by keyboard: {order}", name in order)

    def download(self, run):
        for file in ["summary.json", "junit.xml", "records.csv", "document.json"]:
            with self.page.expect_download() as download:
                self.page.click(f'a[href$="{file}"]')
            name = download.value.suggested_filename
            self.expect(f"{file} of the run", name == f"run-{run}-{file}")
        self.page.click('a[href$="report.html"]')
        self.page.wait_for_url("**/report.html")
        self.expect("the report", "Requests by name" in self.page.inner_text("main"))

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
        new, base = re.search(r"/runs/(\d+)/compare/(\d+)\.html", page.url).groups()
        text = page.inner_text("main")
        for words in [f"Base: run {base}", f"New: run {new}", "Difference", "All requests", "Requests with each error"]:
            self.expect(f"{words} in a comparison", words in text or words in page.content())
        rows = page.locator("table.versus >> nth=0").locator("tbody tr")
        self.expect("a row of each figure", rows.count() >= 13)
        for place in range(1, rows.count()):
            cells = rows.nth(place).locator("td").all_inner_texts()
            self.expect(f"two columns and the difference: {cells}", len(cells) == 3 and all(cells[:2]))
        charts = page.locator("section:has(h2:text('Over time')) figure")
        self.expect("a chart of each figure", charts.count() >= 5)
        for place in range(charts.count()):
            lines = charts.nth(place).locator(".area path.new, .area path.base").count()
            self.expect("two lines in a chart", lines == 2)
        judged = page.locator("td.delta.bad, td.delta.good").all_inner_texts()
        self.expect(f"a sign and a word, not colour alone: {judged}", all(
            re.match(r"[▲▼] ", words) and re.search("worse|better|new|gone", words) for words in judged))
        page.click("table.names.versus th:nth-child(9) button")
        self.expect("an order by difference", page.get_attribute("table.names.versus th:nth-child(9)", "aria-sort"))
        self.looked_at("comparison")

    def reconnect(self):
        """The server crashes while somebody watches, and comes again."""
        page = self.page
        self.start(3600)
        page.wait_for_selector('[data-figure="requests"]')
        self.server.process.kill()
        self.server.process.wait()
        page.wait_for_selector("text=Disconnected, trying again")
        self.looked_at("disconnected")
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
    faults, proved = [], 0
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
                    if server.is_new:
                        visit.empty()
                        server.is_new = False
                    visit.drops()
                    run = visit.start(3600)
                    visit.busy(run)
                    visit.watch()
                    visit.stop()
                    visit.download(run)
                    if int(run) > 1:
                        visit.compare()
                        page = visit.page
                        page.goto(f"{server.url}/")
                        visit.filtered()
                        order = visit.keyboard()
                        visit.expect(f"the list by keyboard: {order}", "Start" in order and "Filter" in order)
                        page.goto(f"{server.url}/runs/999")
                        visit.looked_at("unknown")
                        visit.expect("a way back", page.locator("a[href='/']").count() == 1)
                    visit.silent()
                    if (width, scheme) == (400, "dark"):
                        visit.reconnect()
                        visit.silent()
                except Exception as fault:
                    visit.faults.append(f"{fault}")
                faults += [f"{visit.look}: {fault}" for fault in visit.faults]
                proved += visit.proved
                visit.context.close()
        finally:
            browser.close()
            server.stop()
    for fault in faults:
        print(f"FAULT {fault}")
    print(f"web page in Chromium: {'faulty' if faults else 'sound'}, {proved} expectations")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
