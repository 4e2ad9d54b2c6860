#!/usr/bin/env python3
"""gRPC users against grpcio's server, which has reflection and TLS: what it counts must be what ldctl counts,
for every kind of call and with types from each source. The same documents also run through LoadDensity:
unary calls as it is, streams with the one call that it lacks (`init_gevent`). Verdicts are the same
there; where they differ on purpose, docs/differences.md says why.

  grpc_calls.py --ldctl target/release/ldctl --reference VENV/bin/python [--cpu]

With --cpu it prints the CPU time per call instead, beside grpcio's own clients, LoadDensity on Locust and,
where it is installed, ghz on the same server; ldctl has to take at most a fifth of Locust's. Needs grpcio, grpcio-tools and grpcio-reflection, for the reference
je_load_density==0.0.79; loopback only; ends only what it started. Exit status 1 on a difference.
"""

import json
import pathlib
import shutil
import sys
import tempfile

from support import users as shared
from support.users import REFERENCE, by_name, cpu, expect, locust, main, users

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "python"))
import grpc_server  # noqa: E402

# The one call that streams need in the reference.
STREAMS = "import grpc.experimental.gevent\ngrpc.experimental.gevent.init_gevent()\n"


def run(program, test, types):
    """Runs a test beside the types; returns its successes and failures."""
    files = (types / "greeter.binpb", grpc_server.EXAMPLES / "greeter.proto")
    return shared.run(program, test, files, {"PYTHONPATH": str(types)})


def counts_equal(ldctl, port, counts, types):
    target, rounds, crowd = f"127.0.0.1:{port}", 300, 8
    three = [{"name": "a"}, {"name": "b"}, {"name": "c"}]
    for source in ({}, {"proto": "greeter.proto"}, {"descriptor_set": "greeter.binpb"}):
        tasks = [
            {"name": "unary", "method": "pkg.Greeter/SayHello", "payload": {"name": "wörld", "count": 7, "data": "AAEC"},
             "assertions": [{"type": "json_path", "path": "message", "value": "hi wörld"}, {"type": "json_path", "path": "data", "value": "AAEC"}]},
            {"name": "many", "method": "pkg.Greeter/Many", "payload": {"name": "m", "count": 5}},
            {"name": "collect", "method": "pkg.Greeter/Collect", "payload": three},
            {"name": "chat", "method": "pkg.Greeter/Chat", "payload": three},
        ]  # fmt: skip
        counts.clear()
        tasks = [{"target": target, "timeout": 20, **source, **task} for task in tasks]
        good, bad = run([ldctl, "run", "--no-check"], users("grpc_user", tasks, crowd, rounds, {}), types)
        expect(f"failures with {source}", [entry["error"] for entry in bad], [])
        expect(f"calls with {source}", by_name(good), dict.fromkeys(("unary", "many", "collect", "chat"), rounds))
        served = {name: counts[name] for name in ("SayHello", "Many", "Collect", "Chat", "sent", "received")}
        wanted = {"SayHello": rounds, "Many": rounds, "Collect": rounds, "Chat": rounds, "sent": 5 * rounds, "received": 6 * rounds}
        expect(f"counts of the server with {source}", served, wanted)
        # 1 + 1 + 6 bytes of the name, 2 of the count, 2 + 3 of the data.
        expect("bytes of requests", counts["bytes"], 15 * rounds)
    # Large messages pass the windows both ways.
    large = {"name": "large", "method": "pkg.Greeter/Chat", "target": target, "timeout": 60,
             "payload": [{"name": "x" * 3_000_000}] * 6}  # fmt: skip
    good, bad = run([ldctl, "run", "--no-check"], users("grpc_user", [large], 2, 4, {}), types)
    expect("large streams", (by_name(good), [entry["error"] for entry in bad]), ({"large": 4}, []))
    tasks = [{"name": "denied", "method": "pkg.Greeter/SayHello", "target": target, "payload": {"name": "secret"}}]
    good, bad = run([ldctl, "run", "--no-check"], users("grpc_user", tasks, 2, 20, {}), types)
    errors = {entry["error"] for entry in bad}
    expect("denied calls", (len(good), len(bad), errors), (0, 20, {"PERMISSION_DENIED: not you"}))


def against_reference(ldctl, reference, port, types):
    def task(name, method, payload, **more):
        return {
            "name": name, "target": f"127.0.0.1:{port}", "stub_path": "greeter_pb2_grpc.GreeterStub",
            "request_path": "greeter_pb2.HelloRequest", "method": method, "payload": payload, "timeout": 5, **more}  # fmt: skip

    three = [{"name": "a"}, {"name": "b"}, {"name": "c"}]
    unary = [
        task("plain", "SayHello", {"name": "w", "count": 2}),
        task("empty", "SayHello", {}),
        task("lists", "SayHello", {"name": "é", "tags": ["x", "y"], "pause": 0.0}),
        task("metadata", "SayHello", {"name": "secret"}, metadata={"authorization": "me"}),
        task("pairs", "SayHello", {"name": "secret"}, metadata=[["authorization", "me"]]),
        task("filled in", "SayHello", {"name": "${var.n}"}),
        task("denied", "SayHello", {"name": "secret"}),
        task("late", "SayHello", {"name": "slow", "pause": 1.5}, timeout=0.3),
    ]
    streams = [
        task("many", "Many", {"name": "m", "count": 5}, rpc="server_stream"),
        task("collect", "Collect", three, rpc="client_stream"),
        task("chat", "Chat", three, rpc="bidi"),
    ]
    for name, tasks, before in (("unary", unary, ""), ("streams", streams, STREAMS)):
        test = users("grpc_user", tasks, 1, None, {"variables": {"n": "x"}, "test_time": 2.5})
        outcomes = []
        for program in ([ldctl, "run", "--no-check"], [reference, "-c", before + REFERENCE]):
            good, bad = run(program, test, types)
            # The reference's text has several lines; the status in them is the same.
            failed = {(entry["name"], status_of(entry["error"])) for entry in bad}
            passed = {(entry["name"], entry["Method"]) for entry in good}
            outcomes.append((passed, failed))
        expect(f"{name} (ldctl, the reference)", outcomes[0], outcomes[1])


def status_of(error):
    if "StatusCode." in error:
        return error.split("StatusCode.")[1].split("\n")[0].strip()
    return error.split(":")[0]


CLIENT = """
import asyncio, sys, grpc
sys.path.insert(0, sys.argv[1])
import greeter_pb2, greeter_pb2_grpc
async def user(target, count):
    async with grpc.aio.insecure_channel(target, [("grpc.use_local_subchannel_pool", 1)]) as channel:
        stub = greeter_pb2_grpc.GreeterStub(channel)
        for _ in range(count):
            await stub.SayHello(greeter_pb2.HelloRequest(name="w" * 64), timeout=30)
async def main(target, users, count):
    await asyncio.gather(*(user(target, count) for _ in range(users)))
asyncio.run(main(sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
"""

CLIENT_OF_THREADS = """
import sys, threading, grpc
sys.path.insert(0, sys.argv[1])
import greeter_pb2, greeter_pb2_grpc
def user(target, count):
    with grpc.insecure_channel(target, [("grpc.use_local_subchannel_pool", 1)]) as channel:
        stub = greeter_pb2_grpc.GreeterStub(channel)
        for _ in range(count):
            stub.SayHello(greeter_pb2.HelloRequest(name="w" * 64), timeout=30)
threads = [threading.Thread(target=user, args=(sys.argv[2], int(sys.argv[4]))) for _ in range(int(sys.argv[3]))]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
"""


def cpu_per_call(ldctl, reference, port, counts, types):
    target, crowd, each = f"127.0.0.1:{port}", 20, 1000
    task = {"name": "call", "target": target, "method": "pkg.Greeter/SayHello", "payload": {"name": "w" * 64}, "timeout": 30}
    test = [users("grpc_user", [task], crowd, crowd * each, {"test_time": 300})]
    with tempfile.TemporaryDirectory() as directory:
        document = pathlib.Path(directory, "document.json")
        document.write_text(json.dumps(test))
        words = [str(types), target, str(crowd), str(each)]
        programs = {
            "ldctl": [ldctl, "run", str(document)],
            "grpcio (asyncio)": [sys.executable, "-c", CLIENT, *words],
            "grpcio (threads)": [sys.executable, "-c", CLIENT_OF_THREADS, *words],
        }
        if shutil.which("ghz"):
            programs["ghz"] = [
                "ghz", "--insecure", "-c", str(crowd), "-n", str(crowd * each), "--connections", str(crowd),
                "--call", "pkg.Greeter/SayHello", "-d", json.dumps({"name": "w" * 64}), target]  # fmt: skip
        python = {"stub_path": "greeter_pb2_grpc.GreeterStub", "request_path": "greeter_pb2.HelloRequest", "method": "SayHello"}
        on_locust = locust(reference, directory, "grpc_user", {**task, **python}, crowd, {})
        cpu("calls", programs, crowd * each, lambda _: counts["SayHello"], on_locust, {"PYTHONPATH": str(types)})


def compare(ldctl, reference, of_cpu):
    with tempfile.TemporaryDirectory() as directory:
        types = pathlib.Path(directory)
        server, ports, counts, _ = grpc_server.serve(types)
        if of_cpu:
            cpu_per_call(ldctl, reference, ports["plain"], counts, types)
        else:
            counts_equal(ldctl, ports["plain"], counts, types)
            against_reference(ldctl, reference, ports["plain"], types)
        server.stop(0)


if __name__ == "__main__":
    main(__doc__, compare)
