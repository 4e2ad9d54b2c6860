#!/usr/bin/env python3
"""Runs `ldctl ping`, `send` and `quit` against LoadDensity's own server and against `ldctl serve`.

In every mode (legacy, framed, framed + TLS), with and without a token, both servers must get the
client to print the same and to end with the same exit code. Needs openssl and an interpreter with
je_load_density==0.0.79; loopback only; ends only what it started.

  control.py --ldctl target/release/ldctl --reference VENV/bin/python
"""

import os
import queue
import re
import subprocess
import sys
import tempfile
import threading

from support.script import free_port, options

TOKEN = "s3cret-é"
DEADLINE = 60  # seconds for anything here: a first import of the reference takes some

GOOD = '{"load_density": [["LD_register_variable", {"name": "a", "value": 1}], ["LD_clear_records"], ["LD_summary"]]}'
FAILING = '[["LD_clear_records"], ["LD_nope"]]'

SUMMARY = (
    "{'totals': {'requests': 0, 'successes': 0, 'failures': 0, 'failure_rate': 0.0}, "
    "'latency_overall': {'count': 0, 'p50_ms': 0.0, 'p90_ms': 0.0, 'p95_ms': 0.0, 'p99_ms': 0.0, 'max_ms': 0.0}, "
    "'per_name': {}}"
)


class Server:
    """A server process on a port of its own, from its first line to its end."""

    def __init__(self, command, environment):
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment
        )
        self.lines = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()
        first = self.lines.get(timeout=DEADLINE)
        if first is None or not first.startswith("Server started on "):
            self.end()
            raise SystemExit(f"no server: {command}: {first!r}")

    def _read(self):
        for line in self.process.stdout:
            self.lines.put(line)
        self.lines.put(None)

    def end(self):
        """The exit code when it ends by itself, as after a quit; it is killed when it does not."""
        try:
            return self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return None


def certificate(directory):
    """A self-signed certificate for localhost, which serves as its own authority."""
    cert, key = f"{directory}/cert.pem", f"{directory}/key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
         "-keyout", key, "-out", cert, "-days", "2", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=DNS:localhost", "-addext", "basicConstraints=critical,CA:FALSE"],
        check=True, capture_output=True,
    )  # fmt: skip
    return cert, key


def client(ldctl, arguments, token):
    environment = {name: value for name, value in os.environ.items() if name != "LOAD_DENSITY_SOCKET_TOKEN"}
    if token:
        environment["LOAD_DENSITY_SOCKET_TOKEN"] = token
    done = subprocess.run([ldctl, *arguments], capture_output=True, text=True, env=environment, timeout=DEADLINE)
    return done.returncode, done.stdout, done.stderr


class Checks:
    def __init__(self):
        self.passed = 0
        self.failed = []

    def equal(self, what, got, expected):
        if got == expected:
            self.passed += 1
        else:
            self.failed.append(what)
            print(f"DIFFERS  {what}\n  expected {expected!r}\n  got      {got!r}")

    def matches(self, what, got, pattern):
        self.equal(f"{what}: {got!r} matches {pattern!r}", bool(re.fullmatch(pattern, got)), True)


def converse(checks, name, ldctl, connection, token, pong):
    """Everything that a client does to one server, its end last."""
    code, out, err = client(ldctl, ["ping", *connection], token)
    checks.equal(f"{name} ping: exit code ({err.strip()})", code, 0)
    checks.matches(f"{name} ping", out, pong)

    code, out, _ = client(ldctl, ["send", "--json", GOOD, *connection], token)
    checks.equal(f"{name} send", (code, out), (0, f"None\n{{'status': 'cleared'}}\n{SUMMARY}\n"))

    code, out, _ = client(ldctl, ["send", "--json", FAILING, *connection], token)
    failure = "LoadDensityTestExecuteException(\"executor received invalid data ['LD_nope']\")"
    checks.equal(f"{name} send, one action failing", (code, out), (1, f"{{'status': 'cleared'}}\n{failure}\n"))

    code, out, _ = client(ldctl, ["send", "--output", "json", "--json", GOOD, *connection], token)
    objects = [line.startswith("{") and line.endswith("}") for line in out.splitlines()]
    checks.equal(f"{name} send --output json", (code, len(objects) >= 3, all(objects)), (0, True, True))

    if token:
        for wrong in ("wrong", None):
            code, out, err = client(ldctl, ["send", "--json", GOOD, *connection], wrong)
            checks.equal(f"{name} send, token {wrong}", (code, out, err.count("\n")), (4, "", 1))
            code, out, err = client(ldctl, ["quit", *connection], wrong)
            checks.equal(f"{name} quit, token {wrong}", (code, out, err.count("\n")), (4, "", 1))

    code, out, err = client(ldctl, ["quit", *connection], token)
    checks.equal(f"{name} quit ({err.strip()})", code, 0)


def main():
    arguments = options(__doc__).parse_args()
    environment = {name: value for name, value in os.environ.items() if name != "LOAD_DENSITY_SOCKET_TOKEN"}
    checks = Checks()
    servers = {
        "reference": ([arguments.reference, "-u", "-m", "je_load_density"], r"LoadDensity .*\n"),
        "ldctl": ([arguments.ldctl], r"ldctl \d+\.\d+\.\d+ .*\n"),
    }
    with tempfile.TemporaryDirectory() as directory:
        cert, key = certificate(directory)
        modes = {
            "legacy": ([], ["--legacy"]),
            "framed": (["--framed"], []),
            "framed+tls": (["--framed", "--tls-cert", cert, "--tls-key", key], ["--tls", "--tls-ca", cert]),
        }
        for mode, (serving, connecting) in modes.items():
            for token in (None, TOKEN if mode != "legacy" else "s3cret"):
                for kind, (command, pong) in servers.items():
                    # Non-ASCII tokens are one of the reference's faults.
                    secret = "s3cret" if token and kind == "reference" else token
                    name = f"{kind} {mode} {'token' if secret else 'no token'}:"
                    port = free_port()
                    # localhost would be one of two addresses for the reference.
                    host = "localhost" if "tls" in mode else "127.0.0.1"
                    secret_arguments = ["--token", secret] if secret else []
                    server = Server(
                        [*command, "serve", "--host", host, "--port", str(port), *serving, *secret_arguments],
                        environment,
                    )
                    try:
                        # A legacy answer carries no version.
                        shown = r"\S.*\n" if mode == "legacy" else pong
                        converse(checks, name, arguments.ldctl, ["--host", host, "--port", str(port), *connecting], secret, shown)
                    finally:
                        checks.equal(f"{name} the server's exit code", server.end(), 0)
    print(f"control: {checks.passed} checks passed, {len(checks.failed)} failed")
    return 1 if checks.failed else 0


if __name__ == "__main__":
    sys.exit(main())
