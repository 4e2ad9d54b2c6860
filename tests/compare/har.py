#!/usr/bin/env python3
"""Records a visit of headless Chromium to a shop as HAR, converts the recording to a document, and replays
it: the document lints clean, holds no secret, and the shop sees the requests of the browser again.

usage: har.py --ldctl PATH [--reference IGNORED] [--keep FILE]
Needs the Python package playwright, which drives the installed Chromium; loopback only. Exit status 1
on a difference.
"""

import base64
import collections
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from support.script import options

PASSWORD = "correct horse"

# One transparent pixel.
PICTURE = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==")

PAGE = """<!doctype html><title>shop</title><link rel="icon" href="data:,"><link rel="stylesheet" href="/style.css">
<img src="/logo.png"><form method="post" action="/login"><input name="user"><input name="password" type="password">
<button>in</button></form>"""

SHOP = """<!doctype html><title>items</title><link rel="icon" href="data:,"><p id="done"></p>
<form method="post" action="/upload" enctype="multipart/form-data" target="frame"><input type="file" name="picture"></form>
<iframe name="frame"></iframe>
<script>
(async () => {
  const items = await (await fetch("/api/items?q=t%20e%26a&page=1", {headers: {"X-Trace": "1"}})).json();
  await fetch("/api/cart", {method: "POST", headers: {"Content-Type": "application/json"},
                            body: JSON.stringify({item: items[0].id, note: "été"})});
  await fetch("/api/cart/1", {method: "PUT", body: new URLSearchParams({count: "2", gift: "yes"})});
  await fetch("/api/cart/1", {method: "DELETE"});
  await fetch("/old");
  await fetch("/missing");
  document.getElementById("done").textContent = "done";
})();
</script>"""


class Shop(BaseHTTPRequestHandler):
    """A site with a page, a style, a picture, a login, redirects, JSON, a form and an upload."""

    protocol_version = "HTTP/1.1"
    seen = collections.Counter()

    def handle_any(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        status, kind, reply, more = self.reply(body)
        kind_of_body = (self.headers.get("Content-Type") or "").split(";")[0]
        # JSON may be written in several ways, and the boundary of parts is another one each time.
        kept = {"application/json": lambda: json.dumps(json.loads(body)), "multipart/form-data": lambda: "(parts)"}
        kept = kept.get(kind_of_body, body.decode)()
        Shop.seen[(self.command, self.path, status, kind_of_body, kept)] += 1
        self.send_response(status)
        for name, value in [("Content-Type", kind), ("Content-Length", str(len(reply))), *more]:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(reply)

    def reply(self, body):
        html, plain = "text/html; charset=utf-8", "text/plain"
        match self.command, self.path.split("?")[0]:
            case "GET", "/":
                return 200, html, PAGE.encode(), []
            case "POST", "/login":
                good = b"password=correct+horse" in body
                to = [("Location", "/shop"), ("Set-Cookie", "session=s3cr3t; Path=/; HttpOnly")]
                return (303, plain, b"", to) if good else (401, plain, b"no", [])
            case "GET", "/shop":
                return 200, html, SHOP.encode(), []
            case "GET", "/api/items":
                return 200, "application/json", b'[{"id": 7, "name": "tea"}]', []
            case "POST", "/api/cart":
                ok = json.loads(body).get("item") == 7
                return (201 if ok else 422), "application/json", b"{}", []
            case "POST", "/upload":
                return (200 if b"\x89PNG" in body else 422), plain, b"ok", []
            case "GET", "/old":
                return 302, plain, b"", [("Location", "/new")]
            case "GET", "/missing":
                return 404, plain, b"no", []
            case "GET", "/logo.png":
                return 200, "image/png", PICTURE, []
            case "GET", "/style.css":
                return 200, "text/css", b"p {}", []
            case _, path if path in ("/new", "/api/cart/1"):
                return 200, plain, b"x", []
        return 500, plain, b"?", []

    do_GET = do_POST = do_PUT = do_DELETE = handle_any

    def log_message(self, *_):
        pass


def visit(chromium, base, har, picture):
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        context = browser.new_context(record_har_path=har, record_har_content="embed")
        page = context.new_page()
        page.goto(base + "/")
        page.fill("[name=user]", "ann")
        page.fill("[name=password]", PASSWORD)
        page.click("button")
        page.wait_for_selector("#done:has-text('done')", state="attached")
        page.set_input_files("[name=picture]", picture)
        with page.expect_response("**/upload"):
            page.evaluate("document.querySelector('form').submit()")
        context.close()
        browser.close()


def ldctl(program, directory, *arguments, environment=None):
    done = subprocess.run([program, *arguments], cwd=directory, text=True, capture_output=True, timeout=60,
                          env=dict(os.environ, **(environment or {})))
    return done.returncode, done.stdout, done.stderr


def main():
    parser = options(__doc__, reference=False)
    parser.add_argument("--keep", metavar="FILE", help="keep the recording")
    args = parser.parse_args()
    program = args.ldctl
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if not chromium:
        sys.exit("chromium is not installed")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Shop)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    base = f"http://127.0.0.1:{server.server_port}"
    faults = []

    def check(what, good, detail=""):
        print(f"{'ok  ' if good else 'FAIL'} {what} {detail if not good else ''}".rstrip())
        if not good:
            faults.append(what)

    with tempfile.TemporaryDirectory() as directory:
        picture = pathlib.Path(directory, "picture.png")
        picture.write_bytes(PICTURE)
        har = str(pathlib.Path(directory, "visit.har"))
        visit(chromium, base, har, str(picture))
        browser, Shop.seen = Shop.seen, collections.Counter()
        check("the browser was at every place of the shop", len(browser) == 13, browser)

        if args.keep:
            shutil.copy(har, args.keep)
        code, _, notes = ldctl(program, directory, "convert", har, "--host-only", "-o", "visit.json")
        check("the recording is converted", code == 0, notes)
        document = pathlib.Path(directory, "visit.json").read_text()
        check("no secret is in the document", "correct" not in document and "s3cr3t" not in document, document)
        code, found, errors = ldctl(program, directory, "lint", "visit.json")
        check("the document lints clean", (code, found, errors) == (0, "", ""), found + errors)

        wanted = {word for word in notes.replace(",", " ").split() if word.isupper()}
        values = {name: PASSWORD for name in wanted if "PASSWORD" in name}
        code, out, errors = ldctl(program, directory, "run", "visit.json", "--once", environment=values)
        check("one iteration is replayed", code == 0, out + errors)
        # Chromium does not tell what a file held.
        upload = ("POST", "/upload")
        check("what the recording lacks is told", "bodies that the recording does not have: POST /upload" in notes, notes)
        check("and refused by the shop", [key[2] for key in Shop.seen if key[:2] == upload] == [422], Shop.seen)
        browser, replay = ({key: count for key, count in counter.items() if key[:2] != upload}
                           for counter in (browser, Shop.seen))
        check("every other request is as the browser made it", replay == browser,
              f"\n  browser: {browser}\n  replay: {replay}")
    print(f"har: {sum(replay.values())} requests of Chromium replayed, {len(faults)} faults")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
