#!/usr/bin/env python3
"""How the cost of a request, and memory, grow with the number of connections, and what a second core adds.

nginx is the target, on processor 0, and counts the requests; `ldctl run` is on processor 1. Figures are taken while all
connections are open, so that opening them is in none. Three tables:

- Cost: CPU microseconds per request (of them in user mode), requests per second and the ratio to the first line, for each
  number of connections. Every round visits all of them, so that whatever else the machine does meets each; medians.
- Memory: KiB for each user who is connected and waits.
- Cores: one worker on one processor and two workers on two, the target on both processors each time. What a second core
  adds is 2 x (cost with one) / (cost with two): what both could make if the target took nothing of them.

Needs nginx, Linux, two processors, and as many open files as connections. Loopback only; ends only what it started.

  growth.py --ldctl target/release/ldctl [--connections 50,500,5000,10000,19000] [--rounds 3] [--seconds 4]
"""

import argparse
import json
import os
import pathlib
import re
import resource
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

NGINX = """worker_processes {workers}; daemon off; pid {folder}/pid; error_log {folder}/error; worker_rlimit_nofile 40000;
events {{ worker_connections 39000; }}
http {{ access_log off; keepalive_requests 1000000000; keepalive_timeout 3600; client_body_temp_path {folder}/b; proxy_temp_path {folder}/x;
fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
server {{ listen 127.0.0.1:{port} backlog=8192; location / {{ default_type text/plain; return 200 "hello"; }}
location /status {{ stub_status; }} }} }}
"""
TARGET, LOAD, BOTH = "0", "1", "0,1"


class Target:
    """nginx on some processors."""

    def __init__(self, processors):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.folder = tempfile.mkdtemp(prefix="growth-")
        os.chmod(self.folder, 0o755)
        config = pathlib.Path(self.folder, "nginx.conf")
        config.write_text(NGINX.format(folder=self.folder, port=self.port, workers=processors.count(",") + 1))
        nginx = shutil.which("nginx") or "/usr/sbin/nginx"
        self.process = subprocess.Popen(["taskset", "-c", processors, nginx, "-p", self.folder, "-c", str(config)], stderr=subprocess.DEVNULL)
        for _ in range(100):
            try:
                self.status()
                return
            except OSError:
                time.sleep(0.05)
        sys.exit("nginx does not start")

    def status(self):
        """Open connections, and requests so far."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/status", timeout=10) as answer:
            text = answer.read().decode()
        return int(re.search(r"Active connections: (\d+)", text)[1]), int(re.search(r"\n\s*\d+\s+\d+\s+(\d+)", text)[1])

    def wait_until(self, right, why):
        """Waits for a number of open connections; one of them is that of the question itself."""
        until = time.monotonic() + 120
        while time.monotonic() < until:
            try:
                if right(self.status()[0] - 1):
                    return
            except OSError:
                # Its queue is full while thousands connect.
                pass
            why()
            time.sleep(0.1)
        sys.exit("the connections do not become as many as they should within two minutes")

    def end(self):
        self.process.terminate()
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


class Load:
    """`ldctl run` with so many users, all connected."""

    def __init__(self, ldctl, target, processors, users, wait):
        task = {"method": "get", "request_url": f"http://127.0.0.1:{target.port}/"}
        test = {"user_detail_dict": {"user": "fast_http_user"}, "user_count": users, "spawn_rate": 5000, "test_time": 3600, "wait_time": wait, "tasks": [task]}
        command = ["taskset", "-c", processors, ldctl, "run", "--quiet", "--json", json.dumps([["LD_start_test", test]])]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        self.target = target
        target.wait_until(lambda connections: connections >= users, self.check)
        time.sleep(1)

    def check(self):
        if self.process.poll() is not None:
            sys.exit(f"the load has ended: {self.process.stderr.read().decode()[-500:]}")

    def spent(self):
        """Seconds of CPU time: in all by the scheduler's count, and the share of it in user mode."""
        process = pathlib.Path(f"/proc/{self.process.pid}")
        spent = sum(int((task / "schedstat").read_text().split()[0]) for task in (process / "task").iterdir())
        fields = (process / "stat").read_text().rsplit(")", 1)[1].split()
        return spent / 1e9, int(fields[11]) / os.sysconf("SC_CLK_TCK"), int(fields[12]) / os.sysconf("SC_CLK_TCK")

    def resident(self):
        return int(re.search(r"^VmRSS:\s+(\d+) kB", pathlib.Path(f"/proc/{self.process.pid}/status").read_text(), re.MULTILINE)[1])

    def end(self):
        self.process.kill()
        self.process.wait()
        self.target.wait_until(lambda connections: connections <= 0, lambda: None)


def cost(arguments, target, processors, users):
    """CPU microseconds per request, of them in user mode, and requests per second."""
    load = Load(arguments.ldctl, target, processors, users, 0)
    try:
        begin, before, (spent, user, system) = time.monotonic(), target.status()[1], load.spent()
        time.sleep(arguments.seconds)
        took, made, (later, of_user, of_system) = time.monotonic() - begin, target.status()[1] - before, load.spent()
    finally:
        load.end()
    ticks = of_user - user + of_system - system
    each = (later - spent) / made * 1e6
    return each, each * (of_user - user) / max(ticks, 0.01), made / took


def medians(rows):
    return [statistics.median(column) for column in zip(*rows)]


def growth(arguments, counts):
    target, rows = Target(TARGET), {count: [] for count in counts}
    try:
        for _ in range(arguments.rounds):
            for count in counts:
                rows[count].append(cost(arguments, target, LOAD, count))
    finally:
        target.end()
    print(f"{'connections':>11} {'CPU us/req':>11} {'of it user':>11} {'req/s':>9} {'x first':>8} {'user x first':>13}  curve of x first")
    first = medians(rows[counts[0]])
    for count in counts:
        each, user, rate = medians(rows[count])
        print(f"{count:11} {each:11.2f} {user:11.2f} {rate:9.0f} {each / first[0]:8.2f} {user / first[1]:13.2f}  {'#' * round(20 * each / first[0])}")


def memory(arguments, counts):
    target = Target(TARGET)
    try:
        print(f"\n{'users':>11} {'MB':>8} {'KiB/user':>9}")
        least = None
        for count in [1, *counts]:
            load = Load(arguments.ldctl, target, LOAD, count, 3600)
            resident = load.resident()
            load.end()
            least = least or resident
            each = f"{(resident - least) / (count - 1):9.1f}" if count > 1 else f"{'-':>9}"
            print(f"{count:11} {resident / 1024:8.1f} {each}")
    finally:
        target.end()


def cores(arguments):
    target, rows = Target(BOTH), {LOAD: [], BOTH: []}
    try:
        for _ in range(arguments.rounds):
            for processors, figures in rows.items():
                figures.append(cost(arguments, target, processors, arguments.users))
    finally:
        target.end()
    print(f"\n{'workers':>11} {'CPU us/req':>11} {'of it user':>11} {'capacity':>9}   ({arguments.users} connections)")
    one = medians(rows[LOAD])[0]
    for workers, processors in enumerate(rows, 1):
        each, user, _ = medians(rows[processors])
        print(f"{workers:11} {each:11.2f} {user:11.2f} {workers * one / each:8.2f}x")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ldctl", required=True)
    parser.add_argument("--connections", default="50,500,5000,10000,19000")
    parser.add_argument("--users", type=int, default=100, help="connections for the comparison of workers")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4)
    arguments = parser.parse_args()
    arguments.ldctl = os.path.abspath(arguments.ldctl)
    counts = [int(count) for count in arguments.connections.split(",")]
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard != resource.RLIM_INFINITY and hard < max(counts) + 100:
        sys.exit(f"{hard} open files are allowed, which is too few for {max(counts)} connections (ulimit -n)")
    growth(arguments, counts)
    memory(arguments, counts)
    cores(arguments)


if __name__ == "__main__":
    main()
