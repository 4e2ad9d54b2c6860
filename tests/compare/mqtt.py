#!/usr/bin/env python3
"""MQTT users against mosquitto: open, with passwords and access lists, over TLS, in both versions. What
subscribers of paho count must be what ldctl counts. The same documents also run through LoadDensity where it
is right: verdicts and texts are the same there; where they differ on purpose, docs/differences.md says why.

  mqtt.py --ldctl target/release/ldctl --reference VENV/bin/python [--cpu]

With --cpu it prints the CPU time per message instead, beside paho, LoadDensity on Locust and, where it is
installed, mosquitto_pub on the same broker, and the memory of 10,000 idle users; ldctl has to take at most a
fifth of Locust's. Needs mosquitto and openssl, paho-mqtt in both Pythons, and for the reference
je_load_density==0.0.79; loopback only; ends only what it started. Exit status 1 on a difference.
"""

import collections
import contextlib
import json
import pathlib
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time

import paho.mqtt.client as paho
from support.script import free_port
from support.users import DEADLINE, REFERENCE, by_name, cpu, expect, locust, main, run, users


@contextlib.contextmanager
def broker(*settings, prepare=None):
    """A mosquitto; in the settings DIR is its directory. Gives its port."""
    with tempfile.TemporaryDirectory() as directory:
        port = free_port()
        if prepare:
            prepare(pathlib.Path(directory))
        lines = ["user root", f"listener {port} 127.0.0.1", "max_queued_messages 100000", "max_inflight_messages 1000", *settings]
        path = pathlib.Path(directory, "mosquitto.conf")
        path.write_text("\n".join(lines).replace("DIR", directory) + "\n")
        server = subprocess.Popen(["mosquitto", "-c", str(path)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            end = time.monotonic() + DEADLINE
            while True:
                try:
                    socket.create_connection(("127.0.0.1", port), 1).close()
                    break
                except OSError:
                    if server.poll() is not None or time.monotonic() > end:
                        sys.exit("mqtt: mosquitto does not start")
                    time.sleep(0.05)
            yield port
        finally:
            server.terminate()
            server.wait(DEADLINE)


class Subscriber:
    """Counts what comes to a filter, by topic; subscribes before it returns."""

    def __init__(self, port, **login):
        self.counts, self.bytes = collections.Counter(), collections.Counter()
        ready = threading.Event()
        self.client = paho.Client(paho.CallbackAPIVersion.VERSION2)
        if login:
            self.client.username_pw_set(**login)
        self.client.on_connect = lambda client, *_: client.subscribe("#", 2)
        self.client.on_subscribe = lambda *_: ready.set()
        self.client.on_message = self.count
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()
        if not ready.wait(DEADLINE):
            sys.exit("mqtt: no subscription")

    def count(self, _client, _data, message):
        self.bytes[message.topic] += len(message.payload)
        self.counts[message.topic] += 1

    def wait(self, topic, count):
        end = time.monotonic() + DEADLINE
        while self.counts[topic] < count and time.monotonic() < end:
            time.sleep(0.05)
        # What is too much comes now.
        time.sleep(0.3)
        return self.counts[topic]

    def close(self):
        self.client.disconnect()
        self.client.loop_stop()


def counts(ldctl, version):
    rounds, crowd = 400, 8
    with broker("allow_anonymous true") as port:
        watching = Subscriber(port)
        text = "pïng " * 10
        tasks = [{"name": f"qos{qos}", "topic": f"q/{qos}", "payload": text, "qos": qos} for qos in (0, 1, 2)]
        tasks.append({"name": "bytes", "topic": "bytes", "payload": "hex:00 01 02 03", "binary": True, "qos": 1})
        more = {"host": f"127.0.0.1:{port}", "connection": {"version": version}}
        program = [ldctl, "run", "--no-check"]
        good, bad = run(program, users("mqtt_user", tasks, crowd, rounds, more))
        expect(f"failures of {version}", [entry["error"] for entry in bad], [])
        expect(f"steps of {version}", by_name(good), {task["name"]: rounds for task in tasks})
        for task in tasks:
            expect(f"messages of {version}, {task['name']}", watching.wait(task["topic"], rounds), rounds)
        expect(f"bytes of {version}", watching.bytes["q/2"], rounds * len(text.encode()))
        # Its own messages come back to each user.
        tasks = [
            {"method": "subscribe", "topic": "own/${n}/#", "qos": 2, "name": "subscribe"},
            {"topic": "own/${n}/x", "payload": {"n": "${n}"}, "qos": 2, "name": "publish"},
            {"method": "receive", "topic": "own/+/x", "expect": "7", "name": "receive"},
            {"method": "unsubscribe", "topic": "own/${n}/#", "name": "unsubscribe"},
        ]
        good, bad = run(program, users("mqtt_user", tasks, 1, 100, {**more, "variables": {"n": 7}}))
        expect(f"failures of {version}, own", [entry["error"] for entry in bad], [])
        expect(f"steps of {version}, own", by_name(good), {task["name"]: 100 for task in tasks})
        expect(f"messages of {version}, own", watching.wait("own/7/x", 100), 100)
        watching.close()


def passwords(directory):
    path = str(directory / "passwords")
    subprocess.run(["mosquitto_passwd", "-b", "-c", path, "ann", "s3cret"], check=True)
    pathlib.Path(directory, "acl").write_text("user ann\ntopic readwrite a/#\n")


def refusals(ldctl):
    settings = ("allow_anonymous false", "password_file DIR/passwords", "acl_file DIR/acl")
    with broker(*settings, prepare=passwords) as port:
        watching = Subscriber(port, username="ann", password="s3cret")
        for version, number in (("3.1.1", 5), (5, 135)):
            tasks = [{"name": name, "topic": f"{name}/x", "qos": 1} for name in ("a", "b")]
            for password in ("s3cret", "wrong"):
                login = {"version": version, "username": "ann", "password": password}
                more = {"host": f"127.0.0.1:{port}", "connection": login}
                good, bad = run([ldctl, "run", "--no-check"], users("mqtt_user", tasks, 2, 10, more))
                errors = {(entry["name"], entry["error"]) for entry in bad}
                refused = f"connection refused: not authorised ({number})"
                denied = {("b", "publish refused: not authorised (135)")} if version == 5 else set()
                wanted = {("a", refused), ("b", refused)} if password == "wrong" else denied
                expect(f"refusals of {version}, {password}", errors, wanted)
                if password == "s3cret":
                    expect(f"accepted by {version}", by_name(good).get("a"), 10)
        expect("messages that are allowed", (watching.wait("a/x", 20), watching.counts["b/x"]), (20, 0))
        watching.close()


def certificate(directory):
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=DNS:localhost", "-keyout", str(directory / "key.pem"), "-out", str(directory / "cert.pem")],
        check=True, capture_output=True)  # fmt: skip


def over_tls(ldctl):
    with broker("allow_anonymous true", "certfile DIR/cert.pem", "keyfile DIR/key.pem", prepare=certificate) as port:
        more = {"host": f"mqtts://localhost:{port}"}
        for verify, failures in ((False, 0), (True, 50)):
            tasks = [{"name": "tls", "topic": "a", "payload": "x" * 10_000, "qos": 2, "verify": verify}]
            good, bad = run([ldctl, "run", "--no-check"], users("mqtt_user", tasks, 5, 50, more))
            expect(f"over TLS, verify {verify}", (len(good), len(bad)), (50 - failures, failures))
            expect("the reason", all("certificate is not trusted" in entry["error"] for entry in bad), True)


def reference_cases(port):
    """Tasks of which the reference's verdicts and texts are right."""
    at = {"broker": f"127.0.0.1:{port}"}
    nowhere = {"broker": f"127.0.0.1:{free_port()}"}
    return {
        "messages": [
            {"method": "connect", **at},
            {"method": "subscribe", "topic": "a/#", "qos": 1, **at},
            {"topic": "a/b", "payload": "plain", **at},
            {"topic": "a/b", "payload": "x${n}", "qos": 1, "name": "one", **at},
            {"method": "PUBLISH", "topic": "a/b", "payload": 7, "qos": "2", "name": "two", **at},
            {"topic": "a/b", "payload": None, "name": "none", "qos": 1, **at},
            {"method": "disconnect", **at},
            {"method": "disconnect", "name": "again", **at},
        ],
        "refused": [{"topic": "a", "name": "refused", **nowhere}],
        "wildcards": [{"topic": "a/${hash}", "name": "wildcards", **at}],
        "filter": [{"method": "subscribe", "topic": "a${hash}", "name": "filter", **at}],
    }


def against_reference(ldctl, reference):
    with broker("allow_anonymous true") as port:
        for name, tasks in reference_cases(port).items():
            more = {"variables": {"n": 7, "hash": "#"}, "test_time": 1.3}
            outcomes = []
            for program in ([ldctl, "run", "--no-check"], [reference, "-c", REFERENCE]):
                good, bad = run(program, users("mqtt_user", tasks, 1, None, more))
                entries = good + bad
                outcomes.append({(entry["name"], entry["Method"], entry["test_url"], entry.get("error")) for entry in entries})
            expect(f"{name} (ldctl, the reference)", outcomes[0], outcomes[1])


CLIENT = """
import sys, threading
import paho.mqtt.client as paho
port, users, count, qos = (int(word) for word in sys.argv[1:])
def user():
    client = paho.Client(paho.CallbackAPIVersion.VERSION2)
    client.connect("127.0.0.1", port)
    client.loop_start()
    for _ in range(count):
        client.publish("load", "x" * 64, qos).wait_for_publish(60)
    client.disconnect()
    client.loop_stop()
threads = [threading.Thread(target=user) for _ in range(users)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
"""


def cpu_per_message(ldctl, reference):
    crowd, each = 20, 500
    with broker("allow_anonymous true") as port, tempfile.TemporaryDirectory() as directory:
        for qos in (0, 1, 2):
            tasks = [{"name": "publish", "topic": "load", "payload": "x" * 64, "qos": qos}]
            more = {"host": f"127.0.0.1:{port}", "test_time": 120}
            document = pathlib.Path(directory, "document.json")
            document.write_text(json.dumps([users("mqtt_user", tasks, crowd, crowd * each, more)]))
            programs = {
                "ldctl": [ldctl, "run", str(document)],
                "paho": [sys.executable, "-c", CLIENT, str(port), str(crowd), str(each), str(qos)],
            }
            if shutil.which("mosquitto_pub"):
                lines = pathlib.Path(directory, "lines")
                lines.write_text(("x" * 64 + "\n") * crowd * each)
                command = f"mosquitto_pub -p {port} -t load -q {qos} -l < {lines}"
                programs["mosquitto_pub, one client"] = ["sh", "-c", command]
            watching = Subscriber(port)
            on_locust = locust(reference, directory, "mqtt_user", {**tasks[0], "broker": more["host"]}, crowd, {})
            counted = lambda least: watching.wait("load", least)  # noqa: E731
            cpu(f"messages of QoS {qos}", programs, crowd * each, counted, on_locust)
            watching.close()


def idle_memory(ldctl, crowd=10_000):
    """The memory of users that are connected, subscribe, and wait."""
    with broker("allow_anonymous true", "max_connections -1") as port:
        tasks = [
            {"method": "connect", "keepalive": 10, "name": "connect", "think_time": 12},
            {"topic": "idle", "qos": 1, "name": "publish", "think_time": 1000},
        ]
        test = users("mqtt_user", tasks, crowd, None, {"host": f"127.0.0.1:{port}", "test_time": 45, "spawn_rate": 1500, "wait_time": 1000})
        watching = Subscriber(port)
        program = subprocess.Popen([ldctl, "run", "--json", json.dumps([test])], stdout=subprocess.DEVNULL)
        most = 0
        while program.poll() is None:
            status = pathlib.Path(f"/proc/{program.pid}/status").read_text()
            lines = (line for line in status.splitlines() if line.startswith("VmRSS:"))
            most = max(most, *(int(line.split()[1]) for line in lines), 0)
            time.sleep(0.2)
        # A connection that was not pinged for in time would be gone, and its message would fail.
        print(f"{crowd} idle users: {most / 1024:.0f} MiB at most, {watching.counts['idle']} messages after 12 s without one")
        expect("messages of idle users", watching.counts["idle"], crowd)
        expect("memory of idle users below 400 MB", most * 1024 < 400e6, True)
        watching.close()


def compare(ldctl, reference, of_cpu):
    if of_cpu:
        cpu_per_message(ldctl, reference)
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        idle_memory(ldctl)
        return
    for version in ("3.1.1", 5):
        counts(ldctl, version)
    refusals(ldctl)
    over_tls(ldctl)
    against_reference(ldctl, reference)


if __name__ == "__main__":
    main(__doc__, compare)
