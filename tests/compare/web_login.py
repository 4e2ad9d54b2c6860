#!/usr/bin/env python3
"""Logs in, starts a document and logs out on plain HTTP beyond loopback, in headless Chromium, with scripts and without.

There browsers do not say which site a request comes from, so the Origin of a form has to. In a network
namespace of its own, whose loopback interface has another address too; without such namespaces, Playwright or
Chromium it says so and passes, except in CI. Exit status 1 on a fault.

  web_login.py --ldctl target/release/ldctl [--reference IGNORED]
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile

from support.script import options

ADDRESS = "198.51.100.7"  # for documentation: nowhere else
NAME = "bench.example"
TOKEN = "a token for a test in a browser"


def required(why):
    """What is missing here: a fault where everything must be there."""
    print(f"web login: {why}, not opened")
    return 1 if os.environ.get("LDCTL_TOOLS") == "required" else 0


def visit(browser, host, port, scripts):
    """The titles of the pages that a person comes to."""
    titles, page = [], browser.new_context(java_script_enabled=scripts).new_page()
    page.set_default_timeout(20_000)

    def press(button, url):
        page.click(button)
        page.wait_for_url(url)
        titles.append(page.title())

    here = f"http://{host}:{port}"
    page.goto(f"{here}/")
    page.fill("input[name=token]", "wrong")
    press("button", f"{here}/login")
    page.fill("input[name=token]", TOKEN)
    press("button", f"{here}/")
    page.fill("#document", '[["LD_summary"]]')
    press("button.go", f"{here}/runs/*")
    page.goto(f"{here}/")
    press("text=Log out", f"{here}/login")
    return [title.rstrip("0123456789 ").split(" ")[0] for title in titles]


def inside(ldctl):
    from playwright.sync_api import sync_playwright

    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    subprocess.run(["ip", "address", "add", f"{ADDRESS}/32", "dev", "lo"], check=True)
    faults = 0
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    with tempfile.TemporaryDirectory() as directory, sync_playwright() as playwright:
        arguments = ["--no-sandbox", f"--host-resolver-rules=MAP {NAME} {ADDRESS}"]
        browser = playwright.chromium.launch(executable_path=chromium, args=arguments)
        for port, host, options in ((8085, ADDRESS, []), (8086, NAME, ["--web-host", NAME])):
            command = [ldctl, "serve", "--port", "0", "--data-dir", directory, "--web", f"{ADDRESS}:{port}", *options]
            environment = {**os.environ, "LOAD_DENSITY_SOCKET_TOKEN": TOKEN}
            with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as server:
                try:
                    next(line for line in server.stdout if "in a browser" in line)
                    for scripts in (True, False):
                        titles = visit(browser, host, port, scripts)
                        if titles != ["Log", "Runs", "Run", "Log"]:
                            faults += 1
                            print(f"DIFFERS  {host}, scripts {scripts}: {titles}")
                finally:
                    server.terminate()
        browser.close()
    print(f"web login: 2 hosts with scripts and without, {faults} faults")
    return 1 if faults else 0


def main():
    parser = options(__doc__, reference=False)
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.inside:
        return inside(arguments.ldctl)
    try:
        import playwright  # noqa: F401
    except ImportError:
        return required("no playwright here")
    if not (shutil.which("chromium") or shutil.which("chromium-browser")):
        return required("no chromium here")
    own = ["unshare", "--net"] if os.geteuid() == 0 else ["unshare", "--map-root-user", "--net"]
    if not shutil.which("unshare") or subprocess.run([*own, "true"], stderr=subprocess.DEVNULL).returncode:
        # What may make one is the machine's own business.
        print("web login: no network namespaces here, not opened")
        return 0
    return subprocess.run([*own, sys.executable, __file__, "--inside", "--ldctl", arguments.ldctl]).returncode


if __name__ == "__main__":
    sys.exit(main())
