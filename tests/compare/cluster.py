#!/usr/bin/env python3
"""Tests on several processes with the real programs: Locust's and LoadDensity's masters and workers.

A stock Locust master with one, three and eight ldctl workers, started and stopped over its web page, and
with a mixed cluster; an ldctl master with ldctl's, Locust's and LoadDensity's workers; LoadDensity's master
with ldctl's; and a slow network in between. What the masters count must equal what the target got. Last,
what 200 workers cost an ldctl master. Needs an interpreter with je_load_density==0.0.79 and locust; loopback
only; ends what it started, and only that, however it ends itself.

  cluster.py --ldctl target/release/ldctl --reference VENV/bin/python [--only NAME]
"""

import csv
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import urllib.request

from support.script import free_port, options

DEADLINE = 90  # seconds for one cluster: the reference's import takes some
TOTAL = 240  # seconds for all of them, which take 95

DUMMY = "from locust import User, task\nclass Dummy(User):\n    @task\n    def noop(self): pass\n"

USERS = """
from locust import FastHttpUser, constant, task
class FastHttpUserWrapper(FastHttpUser):
    host = "http://127.0.0.1:%d"
    wait_time = constant(0.02)
    @task
    def a(self): self.client.get("/a", name="a")
"""

LOADDENSITY = """
from je_load_density import start_test
print("RESULT", start_test(user_detail_dict={"user": "fast_http_user"}, user_count=10, spawn_rate=5, test_time=6,
    runner_mode="%s", master_bind_host="127.0.0.1", master_bind_port=%d, master_host="127.0.0.1", master_port=%d,
    expected_workers=%d, tasks={"get": {"request_url": "http://127.0.0.1:%d/a"}}))
"""


class Target:
    """Answers every request, and counts what it has answered."""

    def __init__(self):
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port = self.socket.getsockname()[1]
        self.count = 0
        self.lock = threading.Lock()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            connection, _ = self.socket.accept()
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        buffer = b""
        try:
            while data := connection.recv(65536):
                buffer += data
                requests = buffer.count(b"\r\n\r\n")
                buffer = buffer.rsplit(b"\r\n\r\n", 1)[-1]
                with self.lock:
                    self.count += requests
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok" * requests)
        except OSError:
            pass


class Delay:
    """A proxy that delays everything, both ways."""

    def __init__(self, port, seconds):
        self.to, self.seconds = port, seconds
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            ours, _ = self.socket.accept()
            try:
                theirs = socket.create_connection(("127.0.0.1", self.to))
            except OSError:
                ours.close()
                continue
            for one, other in ((ours, theirs), (theirs, ours)):
                threading.Thread(target=self._pump, args=(one, other), daemon=True).start()

    def _pump(self, one, other):
        queue, ready = [], threading.Condition()

        def deliver():
            while True:
                with ready:
                    while not queue:
                        ready.wait()
                    due, data = queue.pop(0)
                time.sleep(max(0.0, due - time.monotonic()))
                try:
                    if not data:
                        other.shutdown(socket.SHUT_WR)
                        return
                    other.sendall(data)
                except OSError:
                    return

        threading.Thread(target=deliver, daemon=True).start()
        while True:
            try:
                data = one.recv(65536)
            except OSError:
                data = b""
            with ready:
                queue.append((time.monotonic() + self.seconds, data))
                ready.notify()
            if not data:
                return


class Bench:
    def __init__(self, ldctl, python, directory, until):
        self.ldctl, self.python, self.directory = ldctl, python, directory
        self.locust = os.path.join(os.path.dirname(python), "locust")
        self.until = until
        self.target = Target()
        self.started = []

    def path(self, name):
        """Of a new file: a process that has just been started may not have read the last one of that name."""
        return os.path.join(tempfile.mkdtemp(dir=self.directory), name)

    def file(self, name, text):
        path = self.path(name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def start(self, *command):
        # It ends with this script, even when the script is killed.
        tied = ("setpriv", "--pdeathsig", "KILL") if shutil.which("setpriv") else ()
        log = tempfile.TemporaryFile("w+", dir=self.directory)
        process = subprocess.Popen((*tied, *command), stdout=log, stderr=subprocess.STDOUT, cwd=self.directory)
        process.log = log
        self.started.append(process)
        return process

    def check(self):
        """Fails if a process has failed: the others would wait for it in vain."""
        for process in self.started:
            if process.poll():
                raise AssertionError(f"{process.args}: exit code {process.returncode}\n{self.text(process)[-3000:]}")

    def end(self, process):
        deadline = min(time.monotonic() + DEADLINE, self.until)
        while process.poll() is None:
            self.check()
            if time.monotonic() > deadline:
                logs = "\n".join(f"{one.args}: {one.poll()}\n{self.text(one)[-1000:]}" for one in self.started)
                raise AssertionError(f"{process.args} does not end in time; all processes, with their exit codes:\n{logs}")
            time.sleep(0.05)
        self.check()
        return self.text(process)

    def text(self, process):
        process.log.seek(0)
        return process.log.read()

    def terminate(self, process):
        """Ends it; its exit code is of no interest."""
        process.terminate()
        process.wait(timeout=DEADLINE)
        self.started.remove(process)

    def close(self):
        for process in self.started:
            if process.poll() is None:
                process.kill()
        for process in self.started:
            process.wait()

    def document(self, **more):
        test = {
            "user_detail_dict": {"user": "fast_http_user", "host": f"http://127.0.0.1:{self.target.port}"},
            "user_count": 20, "spawn_rate": 10, "test_time": 6, "wait_time": 0.02,
            "tasks": [{"method": "get", "request_url": "/a", "name": "a"}, {"method": "get", "request_url": "/b", "name": "b"}],
        }  # fmt: skip
        return self.file("document.json", json.dumps([["LD_start_test", {**test, **more}]]))

    def worker(self, port):
        return self.start(self.ldctl, "run", self.document(), "--worker", "--master-port", str(port), "--output", "json")

    def locust_worker(self, port):
        file = self.file("users.py", USERS % self.target.port)
        return self.start(self.locust, "-f", file, "--worker", "--master-port", str(port))

    def loaddensity(self, mode, port, expected=0):
        file = self.file(f"{mode}.py", LOADDENSITY % (mode, port, port, expected, self.target.port))
        return self.start(self.python, file)

    def locust_master(self, port, workers, *more):
        file = self.file("dummy.py", DUMMY)
        return self.start(
            self.locust, "-f", file, "--master", "--master-bind-host", "127.0.0.1", "--master-bind-port", str(port),
            "--expect-workers", str(workers), *more,
        )  # fmt: skip

    def master(self, port, workers, **more):
        return self.start(
            self.ldctl, "run", self.document(**more), "--master", "--master-bind-port", str(port),
            "--expect-workers", str(workers), "--output", "json",
        )  # fmt: skip


def result(text, command="LD_start_test"):
    for line in text.splitlines():
        if line.startswith("{"):
            event = json.loads(line)
            if event.get("event") == "result" and event.get("command") == command:
                return event
    raise AssertionError(f"no result in {text[-2000:]}")


def requests(text):
    return result(text)["value"]["summary"]["totals"]["requests"]


def equal(what, one, other):
    if one != other:
        raise AssertionError(f"{what}: {one} and {other}")


def close(what, counted, arrived, in_flight):
    """Python's workers drop the requests in progress when they are told to leave."""
    if not counted <= arrived <= counted + in_flight:
        raise AssertionError(f"{what}: {counted} counted, {arrived} arrived")


def stock_master(bench, workers):
    port = free_port()
    before = bench.target.count
    prefix = bench.path("stock")
    master = bench.locust_master(port, workers, "--headless", "-u", "20", "-r", "10", "-t", "6s", "--csv", prefix)
    running = [bench.worker(port) for _ in range(workers)]
    text = bench.end(master)
    local = sum(requests(bench.end(worker)) for worker in running)
    with open(f"{prefix}_stats.csv", encoding="utf-8") as file:
        rows = {row["Name"]: row for row in csv.DictReader(file)}
    arrived = bench.target.count - before
    equal("Locust's count and the target's", int(rows["Aggregated"]["Request Count"]), arrived)
    equal("the workers' count and the target's", local, arrived)
    if "WARNING" in text and "cpu" not in text.lower():
        raise AssertionError(text)
    return f"{arrived} requests"


def mixed_under_locust(bench):
    port = free_port()
    before = bench.target.count
    file = bench.file("users.py", USERS % bench.target.port)
    prefix = bench.path("mixed")
    master = bench.start(
        bench.locust, "-f", file, "--master", "--master-bind-host", "127.0.0.1", "--master-bind-port", str(port),
        "--expect-workers", "2", "--headless", "-u", "20", "-r", "10", "-t", "6s", "--csv", prefix,
    )  # fmt: skip
    ours, theirs = bench.worker(port), bench.locust_worker(port)
    bench.end(master)
    bench.end(theirs)
    local = requests(bench.end(ours))
    with open(f"{prefix}_stats.csv", encoding="utf-8") as file:
        rows = {row["Name"]: row for row in csv.DictReader(file)}
    counted = int(rows["Aggregated"]["Request Count"])
    close("Locust's count", counted, bench.target.count - before, 20)
    if not local > 100:
        raise AssertionError(f"{local} requests of the ldctl worker")
    return f"{counted} requests, {local} of ldctl"


def web(bench):
    """Start, stop, and start again over Locust's web page."""
    port, page = free_port(), free_port()
    before = bench.target.count
    master = bench.locust_master(port, 1, "--web-host", "127.0.0.1", "--web-port", str(page))
    worker = bench.worker(port)
    url = f"http://127.0.0.1:{page}"

    def stats():
        with urllib.request.urlopen(f"{url}/stats/requests", timeout=10) as answer:
            return json.load(answer)

    def until(what, so):
        deadline = time.monotonic() + 40
        while True:
            bench.check()
            try:
                if so(stats()):
                    return
            except OSError:
                pass
            if time.monotonic() > deadline:
                raise AssertionError(f"never {what}: {stats()}")
            time.sleep(0.2)

    total = 0
    until("a worker", lambda now: len(now["workers"]) == 1 and now["workers"][0]["state"] == "ready")
    for users in (5, 12):
        form = urllib.parse.urlencode({"user_count": users, "spawn_rate": 100}).encode()
        urllib.request.urlopen(f"{url}/swarm", form, timeout=10).read()
        until(f"{users} users", lambda now: now["user_count"] == users and now["state"] == "running")
        time.sleep(3)
        urllib.request.urlopen(f"{url}/stop", b"", timeout=90).read()
        until("stopped", lambda now: now["state"] == "stopped" and now["user_count"] == 0)
        now = stats()
        total += next(row["num_requests"] for row in now["stats"] if row["name"] == "Aggregated")
    equal("the page's counts and the target's", total, bench.target.count - before)
    bench.terminate(master)
    equal("the worker's count", requests(bench.end(worker)), total)
    return f"{total} requests in two tests"


def own_master(bench):
    port = free_port()
    before = bench.target.count
    ours, theirs = bench.worker(port), bench.locust_worker(port)
    density = bench.loaddensity("worker", port)
    text = bench.end(bench.master(port, 3))
    local = requests(bench.end(ours))
    bench.end(theirs)
    bench.end(density)
    counted = requests(text)
    close("the master's count", counted, bench.target.count - before, 20)
    health = result(text)["value"]["distributed_health"]
    equal("its health", (health["status"], health["affected_workers"], len(health["workers"])), ("stopped", [], 3))
    if not counted > local > 100:
        raise AssertionError(f"{counted} requests, {local} of ldctl")
    return f"{counted} requests, {local} of ldctl"


def loaddensity_master(bench):
    port = free_port()
    before = bench.target.count
    master = bench.loaddensity("master", port, 2)
    workers = [bench.worker(port) for _ in range(2)]
    text = bench.end(master)
    local = sum(requests(bench.end(worker)) for worker in workers)
    equal("the workers' count and the target's", local, bench.target.count - before)
    found = re.search(r"'distributed_health': ({.*?'request_replay': False})", text)
    health = eval(found.group(1), {}, {}) if found else {}  # what Python has printed of a dictionary
    equal("its health", (health.get("status"), health.get("affected_workers")), ("stopped", []))
    return f"{local} requests"


def slow_network(bench):
    """A worker that is 300 ms away, each way."""
    port = free_port()
    before = bench.target.count
    master = bench.master(port, 1)
    worker = bench.worker(Delay(port, 0.3).port)
    counted = requests(bench.end(master))
    equal("the master's count and the worker's", counted, requests(bench.end(worker)))
    equal("the target's", bench.target.count - before, counted)
    return f"{counted} requests"


CROWD = """
import os, sys, time, uuid
import msgpack, zmq
port, count, seconds = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
context, poller, workers = zmq.Context(), zmq.Poller(), {}
traffic = [0, 0]
def send(socket, message):
    frame = msgpack.dumps(message)
    traffic[0] += len(frame)
    socket.send(frame)
def receive(socket):
    frame = socket.recv()
    traffic[1] += len(frame)
    return msgpack.loads(frame, strict_map_key=False)
for number in range(count):
    socket = context.socket(zmq.DEALER)
    name = f"host{number % 20}_{uuid.uuid4().hex}"
    socket.setsockopt(zmq.IDENTITY, name.encode()); socket.setsockopt(zmq.LINGER, 0)
    socket.connect(f"tcp://127.0.0.1:{port}")
    workers[socket] = [name, 0, "ready", time.time() + number * 3 / count, time.time() + number / count]
    poller.register(socket, zmq.POLLIN)
    send(socket, ["client_ready", -1, name])
full, ends, began = None, time.time() + seconds, None
times = {1 + n * 7: 3 for n in range(40)}
while time.time() < ends and workers:
    for socket, _ in poller.poll(20):
        name, users, state, *_ = workers[socket]
        kind, data, _ = receive(socket)
        if kind == "spawn":
            began = began or time.time()
            users = sum(data["user_classes_count"].values())
            workers[socket][1:3] = users, "running"
            counts = {"user_classes_count": data["user_classes_count"], "user_count": users}
            send(socket, ["spawning", None, name])
            send(socket, ["spawning_complete", counts, name])
            if full is None and sum(worker[1] for worker in workers.values()) == 2000:
                full = time.time() - began
        elif kind == "quit":
            poller.unregister(socket); socket.close(); del workers[socket]
    now = time.time()
    for socket, worker in workers.items():
        name, users, state, report, beat = worker
        if now >= beat:
            worker[4] = beat + 1
            send(socket, ["heartbeat", {"state": state, "current_cpu_usage": 1.0, "current_memory_usage": 1}, name])
        if now >= report:
            worker[3] = report + 3
            entry = lambda label, method: {"name": label, "method": method, "last_request_timestamp": now, "start_time": now - 3,
                "num_requests": 120, "num_none_requests": 0, "num_failures": 0, "total_response_time": 12000.0, "max_response_time": 290.0,
                "min_response_time": 1.0, "total_content_length": 100, "response_times": times, "num_reqs_per_sec": {int(now): 120}, "num_fail_per_sec": {}}
            body = {"stats": [entry(f"/{n}", "GET") for n in range(5)], "stats_total": entry("Aggregated", ""), "errors": {},
                "user_classes_count": {"x": users}, "user_count": users}
            send(socket, ["stats", body, name])
span = (time.time() - (began or time.time())) * count
print("FULL", full, "BYTES", *[round(bytes / max(span, 1)) for bytes in traffic])
"""


def crowd(bench):
    """What 200 workers cost a master, of five names each, and whether it ramps on time."""
    port = free_port()
    script = bench.file("crowd.py", CROWD)
    workers = bench.start(bench.python, script, str(port), "200", "60")
    master = bench.master(port, 200, user_count=2000, spawn_rate=400, test_time=20)
    ticks = os.sysconf("SC_CLK_TCK")

    def used():
        with open(f"/proc/{master.pid}/stat", encoding="utf-8") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / ticks

    time.sleep(8)
    since, before = time.monotonic(), used()
    time.sleep(10)
    share = (used() - before) / (time.monotonic() - since)
    text = bench.end(master)
    full = re.search(r"FULL ([\d.]+) BYTES (\d+) (\d+)", bench.end(workers))
    if not full or not 4.0 <= float(full.group(1)) <= 7.0:
        raise AssertionError(f"2000 users at 400 per second are there after {full and full.group(1)} s")
    if share >= 0.5:
        raise AssertionError(f"{share:.2f} of a core")
    return f"{share:.3f} of a core, {share / 200 * 1e6:.0f} µs, {full.group(2)} bytes to it and {full.group(3)} from it per worker and second; {requests(text)} requests; full after {float(full.group(1)):.1f} s"


CASES = {
    "stock-1": lambda bench: stock_master(bench, 1),
    "stock-3": lambda bench: stock_master(bench, 3),
    "stock-8": lambda bench: stock_master(bench, 8),
    "stock-mixed": mixed_under_locust,
    "stock-web": web,
    "own-master": own_master,
    "loaddensity-master": loaddensity_master,
    "slow-network": slow_network,
    "crowd": crowd,
}


def end(number, _):
    """Ends as after an error, so that everything is cleaned up; once is enough."""
    for other in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(other, signal.SIG_IGN)
    sys.exit(128 + number)


def main():
    parser = options(__doc__)
    parser.add_argument("--only", choices=CASES)
    args = parser.parse_args()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, end)
    failed, began = 0, time.monotonic()
    for name, case in CASES.items():
        if args.only not in (None, name):
            continue
        with tempfile.TemporaryDirectory() as directory:
            bench = Bench(args.ldctl, args.reference, directory, began + TOTAL)
            try:
                print(f"ok    {name}: {case(bench)}", flush=True)
            except (AssertionError, subprocess.TimeoutExpired, OSError, KeyError) as why:
                failed += 1
                print(f"FAIL  {name}: {why}", flush=True)
            finally:
                bench.close()
    print(f"{time.monotonic() - began:.0f} s", flush=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
