"""What every comparison needs: its options and a free port. In a folder of its own, because `.ci/run` runs
every script above."""

import argparse
import os
import socket


def options(description, reference=True):
    """A parser of --ldctl and --reference. Both become absolute, for scripts start them in other directories."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ldctl", required=True, type=os.path.abspath, help="the program")
    # Not resolved: an interpreter of a virtual environment is a link, and its packages are beside that.
    needed = "a Python interpreter with je_load_density" if reference else "not used"
    parser.add_argument("--reference", required=reference, type=os.path.abspath, help=needed)
    return parser


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
