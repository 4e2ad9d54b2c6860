"""What the comparisons of users share: tests of one user, what a program records of them, the CPU time of
programs, and the end with an exit status."""

import collections
import json
import os
import pathlib
import resource
import shutil
import subprocess
import sys
import tempfile

from support.script import options

DEADLINE = 90  # seconds for one program and one document: the reference's import takes some

IMPORTS = """
import json, sys
from je_load_density.utils.executor.action_executor import execute_action
"""

REFERENCE = IMPORTS + "execute_action(json.load(open(sys.argv[1])))"

FAULTS = []


def expect(what, got, wanted):
    if got != wanted:
        FAULTS.append(f"{what}: {got!r} instead of {wanted!r}")


def users(user, tasks, count, iterations, more):
    """The action that starts a test of such users."""
    return ["LD_start_test", {
        "user_detail_dict": {"user": user}, "user_count": count, "spawn_rate": 1000, "test_time": 30,
        "tasks": tasks, **({"iterations": iterations, "wait_time": 0} if iterations else {}), **more}]  # fmt: skip


def run(program, test, files=(), env=None):
    """Runs a test in a directory with copies of the files; returns its successes and failures."""
    with tempfile.TemporaryDirectory() as directory:
        for file in files:
            shutil.copy(file, directory)
        document = pathlib.Path(directory, "document.json")
        actions = [["LD_clear_records"], test, ["LD_generate_json_report", {"json_file_name": "report"}]]
        document.write_text(json.dumps(actions))
        try:
            done = subprocess.run(
                [*program, str(document)], cwd=directory, capture_output=True, text=True, timeout=DEADLINE,
                env={**os.environ, **(env or {})})  # fmt: skip
        except subprocess.TimeoutExpired as late:
            said = b"".join(part or b"" for part in (late.stdout, late.stderr)).decode(errors="replace")
            sys.exit(f"{program[0]} does not end within {DEADLINE} s: {test}: {said}")
        parts = []
        for part in ("success", "failure"):
            path = pathlib.Path(directory, f"report_{part}.json")
            parts.append(list(json.loads(path.read_text()).values()) if path.exists() else [])
        if not any(parts):
            sys.exit(f"nothing is recorded of {test}: {done.stdout}{done.stderr}")
        return parts


def by_name(entries):
    return dict(collections.Counter(entry["name"] for entry in entries))


def cpu(what, programs, expected, counted, on_locust, env=None):
    """Prints the CPU time of each program by what the peer counts: counted(least) waits for that many. Those
    of `on_locust` are LoadDensity's own, by seconds of load instead of by a number."""
    figures = {}
    for name, program in programs.items():
        spent, count = measured(program, expected, counted, env)
        figures[name] = spent / count * 1e6
        print(f"{name}: {count} {what}, {figures[name]:.1f} µs of CPU each", flush=True)
    spent, count = measured(on_locust, 1, counted, env)
    # Python's start and the imports are not what a call costs.
    only_starts, _ = measured([*on_locust[:2], IMPORTS], 0, counted, env)
    name = "LoadDensity on Locust"
    figures[name] = (spent - only_starts) / count * 1e6
    print(f"{name}: {count} {what}, {figures[name]:.1f} µs of CPU each", flush=True)
    for other, figure in figures.items():
        print(f"{other} / ldctl, {what}: {figure / figures['ldctl']:.1f}", flush=True)
    expect(f"at least five times below Locust, {what}", figures[name] >= 5 * figures["ldctl"], True)


def measured(program, expected, counted, env):
    """The CPU time of a program in seconds, and what the peer has counted meanwhile."""
    spent, before = cpu_of_children(), counted(0)
    done = subprocess.run(program, capture_output=True, text=True, timeout=600, env={**os.environ, **(env or {})})
    if done.returncode != 0:
        sys.exit(f"{program} has failed: {done.stderr[-2000:]}")
    return cpu_of_children() - spent, counted(before + expected) - before


def locust(reference, directory, user, task, crowd, more):
    """LoadDensity with a test of such a task. It waits between iterations, so each has the task many times."""
    document = pathlib.Path(directory, "locust.json")
    document.write_text(json.dumps([users(user, [task] * 100, crowd, None, {**more, "test_time": 10})]))
    return [reference, "-c", REFERENCE, str(document)]


def cpu_of_children():
    """In seconds; of those that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def main(description, compare):
    """Calls compare(ldctl, reference, whether CPU time is asked for), and exits with what it has found."""
    parser = options(description)
    parser.add_argument("--cpu", action="store_true", help="print the CPU time instead of comparing")
    arguments = parser.parse_args()
    compare(arguments.ldctl, arguments.reference, arguments.cpu)
    for fault in FAULTS:
        print(f"DIFFERENT {fault}")
    print(f"{pathlib.Path(sys.argv[0]).stem}: {len(FAULTS)} differences")
    sys.exit(1 if FAULTS else 0)
