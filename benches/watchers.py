#!/usr/bin/env python3
"""What two hundred watchers cost a run at full load: CPU time per request of `ldctl serve` without and with them, in turns.

Starts nginx as the target, `ldctl serve --web` and a run that makes as much load as it can; then rounds without
watchers and with watchers alternate, so that whatever else this machine does meets both. Prints medians, and what a watcher
takes of memory. Needs nginx, Linux and a machine that does little else; loopback only; ends only what it
started. Exit status 1 where the medians differ by more than --most percent.

  watchers.py --ldctl target/release/ldctl [--path parts|events] [--rounds 15] [--seconds 4]
"""

import argparse
import json
import multiprocessing
import os
import pathlib
import re
import selectors
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

NGINX = """worker_processes 1; daemon off; pid {0}/pid; error_log {0}/error;
events {{ worker_connections 2000; }}
http {{ access_log off; keepalive_requests 1000000000; client_body_temp_path {0}/b; proxy_temp_path {0}/x;
fastcgi_temp_path {0}/f; uwsgi_temp_path {0}/u; scgi_temp_path {0}/s;
server {{ listen 127.0.0.1:{1}; location / {{ default_type text/plain; return 200 "hello"; }} }} }}
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def ask(address, path, body=None):
    request = urllib.request.Request(f"http://{address}{path}", data=body, method="POST" if body is not None else "GET")
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.loads(answer.read())


def watch(address, path, count, connection):
    """Follows a run with so many connections until it is told to stop; then says what each received."""
    selector = selectors.DefaultSelector()
    head = f"GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n".encode()
    host, port = address.rsplit(":", 1)
    streams = []
    for _ in range(count):
        stream = socket.create_connection((host, int(port)), timeout=30)
        stream.sendall(head)
        stream.setblocking(False)
        selector.register(stream, selectors.EVENT_READ)
        streams.append([stream, 0])
    received = dict((stream, 0) for stream, _ in streams)
    selector.register(connection, selectors.EVENT_READ)
    connection.send("open")
    stopped = False
    while not stopped:
        for key, _ in selector.select():
            if key.fileobj is connection:
                stopped = True
            else:
                data = key.fileobj.recv(1 << 18)
                received[key.fileobj] += len(data)
                if not data:
                    selector.unregister(key.fileobj)
    connection.send(sorted(received.values()))
    for stream in received:
        stream.close()


class Watchers:
    """In a process of their own, which is none of what is measured."""

    def __init__(self, address, path, count):
        self.here, there = multiprocessing.Pipe()
        self.process = multiprocessing.Process(target=watch, args=(address, path, count, there), daemon=True)
        self.process.start()
        self.here.recv()

    def end(self):
        self.here.send("stop")
        received = self.here.recv()
        self.process.join()
        return received


def cpu(pid):
    """Nanoseconds of CPU time of each thread, by its name."""
    spent = {}
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        try:
            name = (task / "comm").read_text().strip()
            spent[task.name] = (name, int((task / "schedstat").read_text().split()[0]))
        except (FileNotFoundError, ProcessLookupError):
            continue
    return spent


def resident(pid):
    """KiB of memory that the process has."""
    return int(re.search(r"^VmRSS:\s+(\d+) kB", pathlib.Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)[1])


def measure(pid, address, seconds):
    """Microseconds of CPU time per request, the percentage of it beside the load, and requests per second."""
    def total():
        with open(f"/proc/{pid}/stat") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    requests = lambda: ask(address, "/api/v1/runs/1")["requests"]  # noqa: E731
    begin, threads, before, spent = time.monotonic(), cpu(pid), requests(), total()
    time.sleep(seconds)
    after, spent, later, took = requests(), total() - spent, cpu(pid), time.monotonic() - begin
    made = after - before
    # Connections are one thread's, and what is drawn is made on threads for what blocks.
    of_web = ("web", "tokio-rt-worker")
    web = sum(now - threads.get(task, (name, 0))[1] for task, (name, now) in later.items() if name in of_web)
    return spent / made * 1e6, web / 1e9 / spent * 100, made / took


def serve(arguments, target, wait):
    """A server whose first run makes load on a target; its address and its process."""
    command = [arguments.ldctl, "serve", "--port", "0", "--web", "127.0.0.1:0", "--max-watchers", str(arguments.watchers)]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    address = next(found[1] for line in server.stdout if (found := re.search(r"in a browser: http://([^/]+)/", line)))
    tasks = [{"method": "get", "request_url": "/", "name": f"name {number}"} for number in range(arguments.names)]
    document = [["LD_start_test", {
        "user_detail_dict": {"user": "fast_http_user", "host": f"http://127.0.0.1:{target}"}, "user_count": arguments.users,
        "spawn_rate": 1000, "test_time": 3600, "wait_time": wait, "tasks": tasks}]]  # fmt: skip
    ask(address, "/api/v1/runs", json.dumps(document).encode())
    return address, server


def memory(address, server, path, count):
    """KiB per watcher, after so many of them have come and gone once."""
    Watchers(address, path, count).end()
    time.sleep(2)
    alone = resident(server.pid)
    watchers = Watchers(address, path, count)
    time.sleep(5)
    with_them = resident(server.pid)
    watchers.end()
    return (with_them - alone) / count


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--ldctl", required=True)
    parser.add_argument("--path", choices=("parts", "events"), default="parts")
    parser.add_argument("--watchers", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--names", type=int, default=10, help="how many names the requests have")
    parser.add_argument("--users", type=int, default=20)
    parser.add_argument("--most", type=float, default=2.0, help="percent")
    arguments = parser.parse_args()
    if not shutil.which("nginx"):
        sys.exit("watchers: nginx is missing")
    processes = []
    with tempfile.TemporaryDirectory() as directory:
        try:
            port = free_port()
            config = pathlib.Path(directory, "nginx.conf")
            config.write_text(NGINX.format(directory, port))
            os.chmod(directory, 0o777)
            processes.append(subprocess.Popen(["nginx", "-c", config, "-p", directory], stderr=subprocess.DEVNULL))
            path = "/runs/1/parts?since=0" if arguments.path == "parts" else "/api/v1/runs/1/events"
            address, server = serve(arguments, port, 0.2)
            processes.append(server)
            time.sleep(3)
            each = memory(address, server, path, arguments.watchers)
            server.terminate()
            server.wait(30)
            address, server = serve(arguments, port, 0)
            processes.append(server)
            time.sleep(3)
            found = {0: [], arguments.watchers: []}
            received = []
            for number in range(arguments.rounds):
                # The order alternates too: what drifts meets both.
                for count in sorted(found, reverse=number % 2 == 1):
                    watchers = Watchers(address, path, count) if count else None
                    time.sleep(1.5)
                    found[count].append(measure(server.pid, address, arguments.seconds))
                    if watchers:
                        received = watchers.end()
                        time.sleep(0.5)
            median = {count: [statistics.median(column) for column in zip(*rows)] for count, rows in found.items()}
            for count, (spent, web, rate) in median.items():
                rows = sorted(row[0] for row in found[count])
                quarter = len(rows) // 4
                print(f"{count:4} watchers: {spent:.3f} µs of CPU per request ({rows[quarter]:.3f} to {rows[-1 - quarter]:.3f}), "
                      f"{web:.2f} % of it beside the load, {rate:.0f} requests/s")  # fmt: skip
            more = (median[arguments.watchers][0] / median[0][0] - 1) * 100
            print(f"watchers of {arguments.path}: {more:+.2f} % per request; {each:.1f} KiB of memory each; "
                  f"each received {received[0]} to {received[-1]} bytes in its last round")  # fmt: skip
            return 1 if more > arguments.most else 0
        finally:
            for process in reversed(processes):
                process.terminate()
            for process in processes:
                try:
                    process.wait(10)
                except subprocess.TimeoutExpired:
                    process.kill()


if __name__ == "__main__":
    sys.exit(main())
