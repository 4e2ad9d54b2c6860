#!/usr/bin/env python3
"""WebSocket, event stream and Redis users against peers that others wrote: Python's `websockets` (with
compression offered and messages in fragments), aiohttp and redis-server. What the peers count must be
what ldctl counts. WebSocket documents also run through LoadDensity where it is right: verdicts and
texts are the same there; where they differ on purpose, docs/differences.md says why.

  websocket.py --ldctl target/release/ldctl --reference VENV/bin/python [--cpu]

With --cpu it prints the CPU time per message instead, beside clients in Python (websockets), LoadDensity
on Locust and, where it is installed, Node on the same peer; ldctl has to take at most a fifth of Locust's.
Needs websockets, aiohttp and redis-server, for the reference
je_load_density==0.0.79 and websocket-client; loopback only; ends only what it started. Exit status 1 on a
difference.
"""

import asyncio
import collections
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
import threading
import time

import websockets
from aiohttp import web
from support.script import free_port
from support.users import DEADLINE, REFERENCE, by_name, cpu, expect, locust, main, run, users
from websockets.asyncio.server import serve


class Peers:
    """A WebSocket server and an event stream server, in a thread with a loop of its own."""

    def __init__(self):
        self.counts = collections.Counter()
        self.ports = {}
        ready = threading.Event()
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self._run, args=(ready,), daemon=True)
        self.thread.start()
        if not ready.wait(DEADLINE):
            sys.exit("websocket: the peers do not start")

    def _run(self, ready):
        asyncio.set_event_loop(self.loop)
        self.loop.run_until_complete(self._start())
        ready.set()
        self.loop.run_forever()

    async def _start(self):
        # Compression is on by default: a client that does not offer it gets none.
        self.server = await serve(
            self.talk, "127.0.0.1", 0, process_request=self.admit,
            select_subprotocol=lambda _, offered: "b" if "b" in offered else None,
            max_size=8 << 20, ping_interval=0.5, ping_timeout=5)  # fmt: skip
        self.ports["ws"] = self.server.sockets[0].getsockname()[1]
        app = web.Application()
        app.router.add_get("/events", self.events)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.ports["sse"] = site._server.sockets[0].getsockname()[1]

    def admit(self, connection, request):
        if request.path == "/refuse":
            return connection.respond(401, "no\n")
        return None

    async def talk(self, ws):
        path = ws.request.path
        self.counts["connections " + path] += 1
        try:
            async for message in ws:
                self.counts["received " + path] += 1
                self.counts["bytes " + path] += len(message if isinstance(message, bytes) else message.encode())
                if path == "/fragments":
                    await ws.send([message[at : at + 3] for at in range(0, len(message), 3)])
                elif path == "/close":
                    await ws.close(4001, "bye")
                elif path == "/silent":
                    continue
                elif path == "/push":
                    for text in ("notice", "another", message):
                        await ws.send(text)
                else:
                    await ws.send(message)
                self.counts["sent " + path] += 1
        except websockets.ConnectionClosed:
            pass
        self.counts[f"code {ws.close_code} {path}"] += 1

    async def events(self, request):
        self.counts["streams"] += 1
        last = int(request.headers.get("Last-Event-ID", "0"))
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(b"retry: 10\n\n: a comment\n\n")
        # Three events, then the end.
        for number in range(last + 1, last + 4):
            await response.write(f"id: {number}\ndata: event\ndata: {number}\n\n".encode())
            self.counts["events"] += 1
        return response


def websocket_counts(ldctl, peers):
    base = f"ws://127.0.0.1:{peers.ports['ws']}"
    rounds, crowd = 400, 8
    text = "pïng " * 10
    for path in ("/echo", "/fragments"):
        tasks = [
            {"name": "ask", "method": "sendrecv", "request_url": base + path, "payload": text, "expect": "ping".replace("i", "ï")},
            {"name": "bytes", "method": "sendrecv", "request_url": base + path, "payload": "hex:00 01 02 03", "binary": True},
        ]  # fmt: skip
        good, bad = run([ldctl, "run", "--no-check"], users("websocket_user", tasks, crowd, rounds, {}))
        expect(f"failures of {path}", [entry["error"] for entry in bad], [])
        expect(f"steps of {path}", by_name(good), {"ask": rounds, "bytes": rounds})
        expect(f"messages of {path}", peers.counts["received " + path], 2 * rounds)
        expect(f"connections of {path}", peers.counts["connections " + path], crowd)
        expect(f"bytes of {path}", peers.counts["bytes " + path], rounds * (len(text.encode()) + 4))
    # A large message, subprotocols, and pings while a user thinks.
    url = base + "/large"
    tasks = [
        {"name": "large", "method": "sendrecv", "request_url": url, "payload": "x" * 3_000_000, "subprotocols": ["a", "b"], "think_time": 2},
        {"name": "after", "method": "sendrecv", "payload": "still here", "expect": "still here"},
        {"name": "close", "method": "close"},
    ]  # fmt: skip
    good, bad = run([ldctl, "run", "--no-check"], users("websocket_user", tasks, 2, 2, {}))
    expect("failures of /large", [entry["error"] for entry in bad], [])
    expect("steps of /large", by_name(good), {"large": 2, "after": 2, "close": 2})
    expect("ends of /large", peers.counts["code 1000 /large"], 2)
    tasks = [{"name": "any", "method": "sendrecv", "request_url": base + "/push", "payload": "mine", "expect": "mine", "match": "any"}]
    good, bad = run([ldctl, "run", "--no-check"], users("websocket_user", tasks, 2, 50, {}))
    expect("steps of /push", (by_name(good), len(bad)), ({"any": 50}, 0))
    tasks = [{"name": "closed", "method": "sendrecv", "request_url": base + "/close", "payload": "x"}]
    good, bad = run([ldctl, "run", "--no-check"], users("websocket_user", tasks, 1, 5, {}))
    errors = {entry["error"] for entry in bad}
    expect("close frames", (len(good), len(bad), errors), (0, 5, {"connection closed by the target: 4001 bye"}))
    expect("connections of /close", peers.counts["connections /close"], 5)


def sse_counts(ldctl, peers):
    url = f"http://127.0.0.1:{peers.ports['sse']}/events"
    tasks = [
        {"name": "open", "method": "open", "request_url": url},
        {"name": "second", "method": "wait", "expect": "2"},
        # The first stream ends after three events; the next one continues after them.
        {"name": "fifth", "method": "wait", "expect": "event\n5", "reconnect": True},
        {"name": "close", "method": "close"},
    ]
    good, bad = run([ldctl, "run", "--no-check"], users("sse_user", tasks, 4, 20, {}))
    expect("failures of events", [entry["error"] for entry in bad], [])
    expect("steps of events", by_name(good), {"open": 20, "second": 20, "fifth": 20, "close": 20})
    expect("streams", peers.counts["streams"], 40)


def redis_counts(ldctl):
    port = free_port()
    with tempfile.TemporaryDirectory() as directory:
        server = subprocess.Popen(
            ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", directory,
             "--requirepass", "s3cret"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
        try:
            _redis_counts(ldctl, port)
        finally:
            server.terminate()
            server.wait(DEADLINE)


def _redis_counts(ldctl, port):
    def ask(*words):
        done = subprocess.run(
            ["redis-cli", "-p", str(port), "-n", "3", "--no-auth-warning", "-a", "s3cret", *words],
            capture_output=True, text=True, timeout=10)  # fmt: skip
        return done.stdout.strip()

    end = time.monotonic() + DEADLINE
    while ask("ping") != "PONG":
        if time.monotonic() > end:
            sys.exit("websocket: redis-server does not start")
        time.sleep(0.05)
    connection = {"connection": {"url": f"redis://:s3cret@127.0.0.1:{port}/3"}}
    value = json.dumps({"n": 7})
    tasks = [
        {"method": "set", "key": "k", "value": {"n": 7}, "expect": "True"},
        {"method": "get", "key": "k", "expect": value, "assertions": [{"type": "json_path", "path": "n", "value": 7}]},
        {"method": "incr", "key": "c"},
        {"method": "lpush", "key": "q", "value": "x"},
        {"method": "exists", "key": "q", "expect": 1},
        {"method": "rpop", "key": "q", "expect": "x"},
        {"method": "delete", "key": "no such", "expect": 0},
        {"method": "incr", "key": "k", "name": "wrong"},
    ]
    good, bad = run([ldctl, "run", "--no-check"], users("redis_user", tasks, 1, 100, connection))
    expect("commands", by_name(good), {task["method"]: 100 for task in tasks})
    errors = {(entry["name"], entry["error"]) for entry in bad}
    expect("failures of Redis", (len(bad), errors), (100, {("wrong", "value is not an integer or out of range")}))
    expect("the counter", ask("get", "c"), "100")
    stats = ask("info", "commandstats")
    for verb in ("set", "get", "lpush", "rpop", "exists", "del"):
        line = next((line for line in stats.splitlines() if line.startswith(f"cmdstat_{verb}:")), "")
        # One `get` was asked here.
        expect(f"cmdstat of {verb}", line.split(":")[-1].split(",")[0], f"calls={101 if verb == 'get' else 100}")
    wrong = {"connection": {"url": f"redis://:wrong@127.0.0.1:{port}/3"}}
    good, bad = run([ldctl, "run", "--no-check"], users("redis_user", tasks[:1], 1, 1, wrong))
    expect("a wrong password", (good, "WRONGPASS" in bad[0]["error"]), ([], True))


def reference_cases(peers):
    """Tasks of which the reference's verdicts and texts are right."""
    base = f"ws://127.0.0.1:{peers.ports['ws']}"
    nowhere = f"ws://127.0.0.1:{free_port()}/"
    return {
        "messages": [
            {"name": "connect", "method": "connect", "request_url": base + "/echo"},
            {"name": "send", "method": "send", "payload": "plain"},
            {"name": "recv", "method": "RECV", "expect": "plain"},
            {"name": "ask", "method": "sendrecv", "payload": "x${n}", "expect": 7},
            {"name": "wrong", "method": "sendrecv", "payload": "abc", "expect": "zzz"},
            {"name": "close", "method": "close"},
            {"name": "again", "method": "close"},
        ],
        "refused": [{"name": "refused", "method": "sendrecv", "request_url": nowhere, "payload": "x"}],
        "no connection": [{"name": "none", "method": "recv"}],
        "late": [
            {"name": "late", "method": "sendrecv", "request_url": base + "/silent", "payload": "x", "timeout": 0.3},
            {"name": "close", "method": "close"},
        ],
        "fragments": [{"name": "parts", "method": "sendrecv", "request_url": base + "/fragments", "payload": "abcdefgh", "expect": "abcdefgh"}],
    }  # fmt: skip


def against_reference(ldctl, reference, peers):
    # Nothing comes, so the end of the test meets every user here: websocket-client takes an end that comes
    # while it closes for an error of the connection and forgets it, and then the reference never ends.
    silence = {"name": "silence", "method": "recv", "request_url": f"ws://127.0.0.1:{peers.ports['ws']}/silent", "timeout": 60}
    for name, tasks in reference_cases(peers).items():
        tasks = [*tasks, silence]
        more = {"variables": {"n": 7}, "test_time": 1.3}
        outcomes = []
        for program in ([ldctl, "run", "--no-check"], [reference, "-c", REFERENCE]):
            good, bad = run(program, users("websocket_user", tasks, 1, None, more))
            outcomes.append({(entry["name"], entry["Method"], entry.get("error")) for entry in good + bad})
        expect(f"{name} (ldctl, the reference)", outcomes[0], outcomes[1])


CLIENT_PYTHON = """
import asyncio, sys, websockets
async def user(url, count):
    async with websockets.connect(url, compression=None) as ws:
        for _ in range(count):
            await ws.send("x" * 64); await ws.recv()
async def main(url, users, count):
    await asyncio.gather(*(user(url, count) for _ in range(users)))
asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
"""

# Node 22 and later have a client of their own.
CLIENT_NODE = """
const [url, users, count] = [process.argv[1], +process.argv[2], +process.argv[3]];
for (let user = 0; user < users; user++) {
  const socket = new WebSocket(url); let left = count;
  socket.onopen = () => socket.send("x".repeat(64));
  socket.onmessage = () => (--left > 0 ? socket.send("x".repeat(64)) : socket.close());
}
"""


def cpu_per_message(ldctl, reference, peers):
    url, crowd, each = f"ws://127.0.0.1:{peers.ports['ws']}/echo", 50, 400
    tasks = [{"name": "ask", "method": "sendrecv", "request_url": url, "payload": "x" * 64}]
    test = [users("websocket_user", tasks, crowd, crowd * each, {"test_time": 120})]
    with tempfile.TemporaryDirectory() as directory:
        document = pathlib.Path(directory, "document.json")
        document.write_text(json.dumps(test))
        words = [str(crowd), str(each)]
        programs = {"ldctl": [ldctl, "run", str(document)], "Python": [sys.executable, "-c", CLIENT_PYTHON, url, *words]}
        if shutil.which("node"):
            known = subprocess.run(["node", "-e", "process.exit(typeof WebSocket === 'function' ? 0 : 1)"], check=False)
            flags = [] if known.returncode == 0 else ["--experimental-websocket"]
            programs["Node"] = ["node", *flags, "-e", CLIENT_NODE, url, *words]
        on_locust = locust(reference, directory, "websocket_user", tasks[0], crowd, {})
        cpu("messages sent and received", programs, crowd * each, lambda _: peers.counts["received /echo"], on_locust)


def compare(ldctl, reference, of_cpu):
    peers = Peers()
    if of_cpu:
        cpu_per_message(ldctl, reference, peers)
        return
    websocket_counts(ldctl, peers)
    sse_counts(ldctl, peers)
    redis_counts(ldctl)
    against_reference(ldctl, reference, peers)


if __name__ == "__main__":
    main(__doc__, compare)
