#!/usr/bin/env python3
"""A week of use in a few minutes: a server with a small ceiling for memory takes documents of all kinds, tests whose requests are
named by ids, clients that do not read or leave, strangers, and a scraper.

  week.py --ldctl target/release/ldctl [--documents 1000] [--ceiling 256]

What must hold: every document that was sent is answered, `ping`, `status` and `stop` within a second at every moment, and the memory
of the process stays below the ceiling and ceases to grow. Loopback only. Prints its figures.
"""
import argparse, json, os, random, shutil, signal, socket, statistics, struct, subprocess, sys, tempfile, threading, time, urllib.request

END = b"Return_Data_Over_JE\n"


def frame(value):
    body = json.dumps(value).encode()
    return struct.pack("!I", len(body)) + body


def read_reply(stream):
    """The frames of a reply up to the terminator."""
    data, out = stream.makefile("rb"), []
    while True:
        head = data.read(4)
        if len(head) < 4:
            return out, False
        body = data.read(struct.unpack("!I", head)[0])
        if body == END:
            return out, True
        out.append(body)


class Week:
    def __init__(self, args):
        self.args, self.data = args, tempfile.mkdtemp(prefix="ldctl-week-")
        self.random = random.Random(7)
        with open(os.path.join(self.data, "users.csv"), "w") as csv:
            csv.write("name,id\n" + "".join(f"user{n},{n}\n" for n in range(20000)))
        command = [args.ldctl, "serve", "--port", "0", "--host", "127.0.0.1", "--data-dir", self.data, "--max-memory", f"{args.ceiling}MiB"]
        self.log = open(os.path.join(self.data, "log"), "w+b")
        self.server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=self.log)
        self.port = int(self.server.stdout.readline().decode().rsplit(":", 1)[1])
        threading.Thread(target=lambda: [None for _ in self.server.stdout], daemon=True).start()
        stub = self.send([["LD_start_stub_server", [[]]]])
        text = json.loads([f for f in stub[0] if b'"result"' in f][0])
        self.target = f"http://127.0.0.1:{text['value']['port']}"
        self.waits, self.memory, self.answered, self.unanswered = [], [], 0, []
        self.stopped = threading.Event()

    def connect(self, timeout=60):
        return socket.create_connection(("127.0.0.1", self.port), timeout=timeout)

    def send(self, document, events=True, timeout=150):
        with self.connect(timeout) as stream:
            stream.sendall(frame({"command": document, **({"reply": "events", "queue": 120} if events else {})}))
            return read_reply(stream)

    def ask(self, op):
        start = time.monotonic()
        with self.connect(10) as stream:
            stream.sendall(frame({"token": None, "op": op, "reply": "events"}))
            _, whole = read_reply(stream)
        return time.monotonic() - start if whole else 10.0

    def test(self, name, **more):
        arguments = {"user_detail_dict": {"user": "fast_http_user", "host": self.target}, "user_count": 5, "spawn_rate": 1000, "test_time": 0.3,
                     "wait_time": {"min": 0, "max": 0.01}, "tasks": [{"method": "get", "request_url": "/", "name": name}]}
        return ["LD_start_test", {**arguments, **more}]

    def document(self, number):
        """One of the kinds that users and mistakes send."""
        kind = number % 12
        if kind == 0:
            return [self.test("n ${uuid()}"), ["LD_summary"]]
        if kind == 1:
            return [self.test("plain"), ["LD_generate_json_report", [f"r{number % 5}"]], ["LD_generate_html_report", [f"h{number % 5}"]]]
        if kind == 2:
            return [self.test("${csv.u.name}", csv_sources=[{"name": "u", "file_path": "users.csv"}])]
        if kind == 3:
            return [["len", ["x" * 200_000]]]
        if kind == 4:
            return [["LD_summary"], ["LD_nope"], ["LD_assert_sla", {"rules": [{"type": "requests", "value": 0, "op": "gte"}]}]]
        if kind == 5:
            return [self.test("missing", tasks=[{"method": "get", "request_url": f"/{'y' * 5000}?id=${{uuid()}}", "name": "m"}])]
        if kind == 6:
            return [["LD_register_variables", [{f"v{number}": "z" * 2000}]]]
        if kind == 7:
            return [self.test("post", tasks=[{"method": "post", "request_url": "/", "json": list(range(2000)), "name": "p"}])]
        if kind == 8:
            return [["LD_persist_records", ["runs.db", f"l{number}"]], ["LD_list_runs", ["runs.db", 5]]]
        if kind == 9:
            return [["abs", [number]]] * 300
        if kind == 10:
            return [self.test("open", arrival_rate={"rate": 2000, "max_users": 20})]
        return [["LD_clear_records"], ["LD_clear_variables"]]

    def sender(self, numbers):
        while not self.stopped.is_set():
            try:
                number = next(numbers)
            except StopIteration:
                return
            try:
                _, whole = self.send(self.document(number), events=number % 5 != 0)
            except OSError as error:
                whole = f"{error}"
            if whole is True:
                self.answered += 1
            else:
                self.unanswered.append((number, whole))

    def rude(self):
        """Clients that leave at once, and some that never read."""
        while not self.stopped.is_set():
            with self.connect() as stream:
                stream.sendall(frame({"command": [["len", ["x" * 100_000]]] * 5, "reply": "events"}))
            silent = self.connect()
            silent.sendall(frame({"command": [["LD_summary"]] * 200, "reply": "events"}))
            unfinished = self.connect()
            unfinished.sendall(struct.pack("!I", 900_000) + b"[" * 300_000)
            self.stopped.wait(0.5)
            silent.close()
            unfinished.close()

    def watcher(self):
        """The operator: everything within a second, at every moment."""
        turn = 0
        while not self.stopped.is_set():
            turn += 1
            for op in ("ping", "status", "runs") + (("stop",) if turn % 40 == 0 else ()):
                try:
                    self.waits.append((self.ask(op), op))
                except OSError as error:
                    self.waits.append((10.0, f"{op}: {error}"))
            status = open(f"/proc/{self.server.pid}/status").read()
            self.memory.append(int(status.split("VmRSS:")[1].split()[0]) / 1024)
            self.stopped.wait(0.05)

    def run(self):
        numbers, lock = iter(range(self.args.documents)), threading.Lock()

        class Shared:
            def __next__(self):
                with lock:
                    return next(numbers)

        others = [threading.Thread(target=work, daemon=True) for work in (self.rude, self.watcher)]
        senders = [threading.Thread(target=self.sender, args=(Shared(),), daemon=True) for _ in range(6)]
        start = time.monotonic()
        for thread in others + senders:
            thread.start()
        for thread in senders:
            thread.join()
        self.stopped.set()
        for thread in others:
            thread.join(20)
        took = time.monotonic() - start
        with self.connect() as stream:
            stream.sendall(frame({"token": None, "op": "runs", "limit": 1000}))
            listed = json.loads(read_reply(stream)[0][0])["runs"]
        made = sum(run["requests"] or 0 for run in listed)
        states = {state: sum(run["state"] == state for run in listed) for state in sorted({run["state"] for run in listed})}
        print(f"week: the last {len(listed)} runs made {made} requests and ended so: {states}")
        alive = self.server.poll() is None
        self.server.send_signal(signal.SIGTERM)
        code = self.server.wait(60)
        waits = sorted(wait for wait, _ in self.waits)
        third = max(len(self.memory) // 3, 1)
        first, middle, last = (max(self.memory[at * third:(at + 1) * third] or [0]) for at in range(3))
        slow = [entry for entry in self.waits if entry[0] > 1]
        print(f"week: {self.answered} of {self.args.documents} documents answered in {took:.0f} s; operator asked {len(waits)} times, "
              f"median {statistics.median(waits) * 1000:.1f} ms, longest {waits[-1] * 1000:.0f} ms")
        print(f"week: memory at most {max(self.memory):.0f} MB of {self.args.ceiling}; by thirds {first:.0f}, {middle:.0f}, {last:.0f} MB; exit {code}")
        good = {
            "the server lived": alive and code == 0,
            "every document was answered": not self.unanswered,
            "the operator was answered within a second": not slow,
            "memory stayed below the ceiling": max(self.memory) < self.args.ceiling,
            # Results are kept until they reach their share of the ceiling.
            "memory did not grow": last < middle * 1.2 + 10,
        }
        for what, held in good.items():
            if not held:
                print(f"week: FAILED: {what}; {self.unanswered[:3]} {slow[:5]}")
        if not all(good.values()):
            self.log.seek(0)
            sys.stderr.write(self.log.read().decode(errors="replace")[-600:])
        shutil.rmtree(self.data, ignore_errors=True)
        return all(good.values())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ldctl", required=True)
    parser.add_argument("--documents", type=int, default=1000)
    parser.add_argument("--ceiling", type=int, default=256)
    sys.exit(0 if Week(parser.parse_args()).run() else 1)


main()
