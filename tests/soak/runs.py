#!/usr/bin/env python3
"""Ten thousand short runs on one server with a history: its memory ceases to grow, no number is used twice, and every run is found
again, also by the next server.

  runs.py --ldctl target/release/ldctl [--runs 10000] [--growth 16]

Loopback only. Prints the memory after each tenth of the runs, in MiB, and fails if the second half added more than `--growth`.
"""
import argparse, json, os, shutil, signal, socket, struct, subprocess, sys, tempfile

END = b"Return_Data_Over_JE\n"


def ask(port, request):
    """The events of a reply."""
    body = json.dumps(request).encode()
    with socket.create_connection(("127.0.0.1", port), timeout=60) as stream:
        stream.sendall(struct.pack("!I", len(body)) + body)
        data, events = stream.makefile("rb"), []
        while True:
            (length,) = struct.unpack("!I", data.read(4))
            frame = data.read(length)
            if frame == END:
                return events
            events.append(json.loads(frame))


def serve(args, history):
    command = [args.ldctl, "serve", "--port", "0", "--host", "127.0.0.1", "--history", history]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    return server, int(server.stdout.readline().decode().rsplit(":", 1)[1])


def resident(server):
    with open(f"/proc/{server.pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("RssAnon:")) / 1024


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ldctl", required=True)
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--growth", type=float, default=16)
    args = parser.parse_args()
    directory = tempfile.mkdtemp(prefix="ldctl-runs-")
    history = os.path.join(directory, "history.db")
    server, port = serve(args, history)
    try:
        stub = ask(port, {"token": None, "reply": "events", "command": [["LD_start_stub_server", {"rules": [{"path": "/", "json": {}}]}]]})
        target = next(event for event in stub if event["event"] == "result")["value"]["port"]
        test = ["LD_start_test", {"user_detail_dict": {"user": "fast_http_user", "host": f"http://127.0.0.1:{target}"}, "user_count": 1,
                                  "spawn_rate": 100, "test_time": 0.02, "wait_time": 0.01, "tasks": [{"method": "get", "request_url": "/"}]}]
        memory, last = [], 1
        for number in range(args.runs):
            document = [["LD_clear_records"], test] if number % 10 == 0 else [["abs", [-number]]]
            done = ask(port, {"token": None, "reply": "events", "command": document})[-1]
            assert done["event"] == "done" and done["run"] > last, f"number {done} after {last}"
            last = done["run"]
            if (number + 1) % (args.runs // 10) == 0:
                memory.append(round(resident(server), 1))
        print(f"{args.runs} runs, the last has the number {last}; MiB: {memory}; history: {os.path.getsize(history) >> 10} KiB")
        server.send_signal(signal.SIGKILL)
        server.wait()
        server, port = serve(args, history)
        status = ask(port, {"token": None, "op": "status", "run": 2, "reply": "events"})[0]
        assert status["state"] == "passed", status
        again = ask(port, {"token": None, "reply": "events", "command": [["abs", [-1]]]})[-1]
        assert again["run"] > last, f"{again['run']} was used before"
        grown = memory[-1] - memory[len(memory) // 2]
        print(f"the second half added {grown:.1f} MiB")
        sys.exit(grown > args.growth)
    finally:
        server.kill()
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main()
