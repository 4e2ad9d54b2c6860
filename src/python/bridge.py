"""Runs inside the Python that --executor names: LoadDensity behind pipes.

Each line of stdin is a request of the parent, each line of the wire a response, both JSON. `wire.rs` has
the other end and says what the members mean. Requests are read by a thread of the system, so that the end
of the parent is noticed even while a greenlet blocks all others.
"""
import sys

# Nothing that a document could have written into the working directory is imported.
sys.path[:] = [place for place in sys.path if place not in ("", ".")]

import os

here = os.getcwd()
sys.path[:] = [place for place in sys.path if os.path.realpath(place) != here]

import json
import signal

# What is printed goes to stderr: stdout belongs to the wire, and programs that are started have none.
wire = os.dup(1)
os.dup2(2, 1)
os.closerange(3, wire)
os.closerange(wire + 1, 4096)
try:
    # What it may read of itself counts as long as the system remembers it: as long as it is open.
    itself = os.open("/proc/self", os.O_RDONLY)
except OSError:
    pass


def end_with_parent():
    """Lets the system end this process if the parent ends without a word."""
    try:
        import ctypes

        parent = os.getppid()
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)
    except Exception:
        pass


end_with_parent()


def write(line):
    """Writes one line. Nothing else runs meanwhile, so lines do not mix."""
    line = memoryview(line.encode() + b"\n")
    while line:
        line = line[os.write(wire, line):]


def send(**members):
    write(json.dumps(members))


REFUSED = sys.argv[1].split(",") if len(sys.argv) > 1 else []

# More than so many bytes of one result are not sent.
MOST_RESULT = 4 << 20
# Rows of one line, and characters of one text in them.
ROWS, TEXT = 500, 2100
# Seconds between two looks at the records of a test.
TICK = 0.25

try:
    # First of all, because it replaces the threads and sockets of the standard library.
    from locust import events  # noqa: F401
    import gevent
    from gevent import monkey
    from gevent.event import Event

    try:
        import grpc.experimental.gevent as grpc_gevent

        grpc_gevent.init_gevent()
    except ImportError:
        pass
    import je_load_density
    from je_load_density.utils.executor.action_executor import executor
    from je_load_density.utils.parameterization import parameter_resolver
    from je_load_density.utils.test_record.test_record_class import test_record_instance as records
except Exception as error:
    send(failed="%s: %s" % (type(error).__name__, error))
    sys.exit(1)

os.environ.pop("LOAD_DENSITY_LOG_FILE", None)
for name in REFUSED:
    executor.event_dict.pop(name, None)


def version():
    try:
        from importlib.metadata import version as installed

        return installed("je_load_density")
    except Exception:
        return "of an unknown version"


def cut(value):
    text = value if isinstance(value, str) else str(value)
    return text if len(text) <= TEXT else text[:TEXT]


def whole(value):
    try:
        return int(value)
    except (TypeError, ValueError, OverflowError):
        return None


def real(value):
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if -1e300 < number < 1e300 else None


def row(ok, record):
    get = record.get
    error = None if ok else cut(get("error") or "no reason was given")
    return [
        ok,
        cut(get("Method") or ""),
        cut(get("test_url") or ""),
        cut(get("name") or ""),
        whole(get("status_code")),
        real(get("response_time_ms")) or 0.0,
        max(whole(get("response_length")) or 0, 0),
        error,
        real(get("start_time")),
    ]


def flush(number):
    """Sends the records so far and takes them out of this process's memory."""
    for ok, kept in ((True, records.test_record_list), (False, records.error_record_list)):
        while kept:
            batch = kept[:ROWS]
            del kept[:len(batch)]
            send(id=number, rows=[row(ok, record) for record in batch])


def stream(number, test):
    while True:
        gevent.sleep(TICK)
        flush(number)
        runner = getattr(test["environment"], "runner", None)
        if runner is not None:
            send(id=number, users=max(whole(runner.user_count) or 0, 0))


def respond(number, value):
    text = str(value)
    try:
        encoded = json.dumps(value, default=str)
    except Exception:
        # Keys that are no text, a circle, too deep.
        encoded = None
    length = max(len(text), len(encoded or ""))
    if length > MOST_RESULT:
        message = "the result of %d bytes is larger than %d" % (length, MOST_RESULT)
        return send(id=number, error=message, kind="ResultTooLarge", text=message)
    if encoded is None:
        encoded = json.dumps(text)
    write('{"id": %d, "value": %s, "text": %s}' % (number, encoded, json.dumps(text)))


def fail(number, error):
    kind = type(error).__name__
    send(id=number, error=str(error)[:65536], kind=kind, text=repr(error)[:65536])


running, staged = {}, {}


def call(number, action):
    rows = staged.pop(number, None)
    try:
        if rows is not None:
            for ok, *values in rows:
                record = dict(zip(FIELDS, values), text=None)
                (records.test_record_list if ok else records.error_record_list).append(record)
        respond(number, executor.attempt(action))
    except BaseException as error:
        fail(number, error)
    finally:
        if rows is not None:
            records.clear_records()
        running.pop(number, None)


FIELDS = (
    "Method",
    "test_url",
    "name",
    "status_code",
    "response_time_ms",
    "response_length",
    "error",
    "start_time",
)


def load(number, arguments):
    test = {"stopped": False, "environment": None}
    running[number] = test
    # All that a test needs is among its arguments.
    parameter_resolver.clear()
    records.clear_records()
    arguments = dict(
        arguments,
        stop_requested=lambda: test["stopped"],
        on_environment=lambda environment: test.update(environment=environment),
    )
    ticker = gevent.spawn(stream, number, test)
    try:
        value, error = executor.attempt(["LD_start_test", arguments]), None
    except BaseException as raised:
        value, error = None, raised
    ticker.kill()
    flush(number)
    running.pop(number, None)
    if error is None:
        respond(number, value)
    else:
        fail(number, error)


def stop(number):
    task = running.get(number)
    if isinstance(task, dict):
        task["stopped"] = True
    elif task is not None:
        task.kill(block=False)


def take(line):
    request = json.loads(line)
    number = request.get("id")
    if "stop" in request:
        stop(request["stop"])
    elif "rows" in request:
        staged.setdefault(number, []).extend(request["rows"])
    elif "test" in request:
        gevent.spawn(load, number, request["test"])
    else:
        running[number] = gevent.spawn(call, number, request["call"])


inbox, came = [], Event()


def listen(bell):
    """In a thread of the system: reads requests, and ends everything with the parent."""
    pieces = []
    while True:
        block = os.read(0, 1 << 16)
        if not block:
            if os.getpgrp() == os.getpid():
                os.killpg(0, signal.SIGKILL)
            os._exit(0)
        first, *others = block.split(b"\n")
        pieces.append(first)
        for piece in others:
            inbox.append(b"".join(pieces))
            pieces = [piece]
        if others:
            bell.send()


bell = gevent.get_hub().loop.async_()
bell.start(came.set)
monkey.get_original("_thread", "start_new_thread")(listen, (bell,))
send(
    ready={
        "package": version(),
        "python": sys.version.split()[0],
        "commands": sorted(name for name in executor.event_dict if name.startswith("LD_")),
    }
)
while True:
    came.wait()
    came.clear()
    while inbox:
        take(inbox.pop(0))
