#!/usr/bin/env python3
"""schemathesis asks a server whatever its OpenAPI description allows, and what it forbids.

  api.py --ldctl target/release/ldctl [--reference IGNORED]

Needs schemathesis (PyPI) beside this Python; loopback only; ends only what it started. Exit status 1
where a reply is an error of the server, or not what the description says.
"""

import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import threading

from support.script import options

TOKEN = "a-token-of-this-test"

DEADLINE = 300  # seconds for all of it


def door(server):
    """The address of the web door; what follows on stderr is read, so that the server never waits."""
    for line in server.stderr:
        found = re.search(r"runs in a browser: (http://\S+)/", line)
        if found:
            threading.Thread(target=lambda: list(server.stderr), daemon=True).start()
            return found[1]
    sys.exit(f"api: the server has ended with {server.wait()}")


def main():
    parser = options(__doc__, reference=False)
    parser.add_argument("--examples", default="60", help="for each operation and phase")
    parser.add_argument("--seed", default="1")
    args = parser.parse_args()
    schemathesis = pathlib.Path(sys.executable).parent / "schemathesis"
    if not schemathesis.exists():
        sys.exit(f"api: {schemathesis} is missing: pip install schemathesis")
    with tempfile.TemporaryDirectory() as directory:
        environment = {"PATH": os.environ.get("PATH", ""), "LOAD_DENSITY_SOCKET_TOKEN": TOKEN}
        server = subprocess.Popen(
            [args.ldctl, "serve", "--port", "0", "--web", "127.0.0.1:0", "--token-env",
             "--data-dir", directory],
            cwd=directory, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        try:
            url = door(server)
            tested = subprocess.run(
                [schemathesis, "run", f"{url}/api/v1/openapi.json", "-H", f"Authorization: Bearer {TOKEN}",
                 "--max-examples", args.examples, "--seed", args.seed, "--request-timeout", "10",
                 "--generation-database", "none", "--no-color"],
                cwd=directory, stdin=subprocess.DEVNULL, timeout=DEADLINE, check=False,
            )  # fmt: skip
            if server.poll() is not None:
                sys.exit(f"api: the server has ended with {server.returncode}")
        finally:
            server.send_signal(signal.SIGTERM)
            ended = server.wait(timeout=60)
    if ended != 0:
        sys.exit(f"api: the server has ended with {ended}")
    sys.exit(tested.returncode)


if __name__ == "__main__":
    main()
