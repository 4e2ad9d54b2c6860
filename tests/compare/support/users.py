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

REFERENCE = """
import json, sys
from je_load_density.utils.executor.action_executor import execute_action
execute_action(json.load(open(sys.argv[1])))
"""

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
        done = subprocess.run(
            [*program, str(document)], cwd=directory, capture_output=True, text=True, timeout=DEADLINE,
            env={**os.environ, **(env or {})})  # fmt: skip
        parts = []
        for part in ("success", "failure"):
            path = pathlib.Path(directory, f"report_{part}.json")
            parts.append(list(json.loads(path.read_text()).values()) if path.exists() else [])
        if not any(parts):
            sys.exit(f"nothing is recorded of {test}: {done.stdout}{done.stderr}")
        return parts


def by_name(entries):
    return dict(collections.Counter(entry["name"] for entry in entries))


def cpu(what, programs, expected, counted):
    """Prints the CPU time of each program by what the peer counts: counted(least) waits for that many."""
    figures = {}
    for name, program in programs.items():
        spent, before = cpu_of_children(), counted(0)
        subprocess.run(program, check=True, stdout=subprocess.DEVNULL, timeout=600)
        spent = cpu_of_children() - spent
        count = counted(before + expected) - before
        figures[name] = spent / count * 1e6
        print(f"{name}: {count} {what}, {figures[name]:.1f} µs of CPU each")
    for name, figure in figures.items():
        print(f"{name} / ldctl, {what}: {figure / figures['ldctl']:.1f}")


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
