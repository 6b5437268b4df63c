#!/usr/bin/env python3
"""Measures whole processes in turn: CPU time, wall time and peak memory of each, medians, and ratios to the first.

    python3 tests/bench/pairs.py [--rounds N] [--before COMMAND] NAME=COMMAND...

Each command is one string for the shell's words (no shell runs it); its output goes to /dev/null. --before is run
untimed before each of them. A command that fails with anything but 0 or 1 ends the measuring with exit code 4.
"""
import argparse
import os
import shlex
import statistics
import subprocess
import sys
import time


def run(words):
    """Seconds of CPU, seconds of wall time, MiB at the peak."""
    begin = time.monotonic()
    process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    said = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.monotonic() - begin
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in (0, 1):
        sys.stderr.buffer.write(said)
        print(f"'{shlex.join(words)}' ends with {process.returncode}", file=sys.stderr)
        sys.exit(4)
    return usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss / 1024


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--before")
    parser.add_argument("commands", nargs="+", metavar="NAME=COMMAND")
    arguments = parser.parse_args()
    commands = [(name, shlex.split(command)) for name, command in (c.split("=", 1) for c in arguments.commands)]
    taken = {name: [] for name, _ in commands}
    for _ in range(arguments.rounds):
        for name, words in commands:
            if arguments.before:
                subprocess.run(shlex.split(arguments.before), check=True, stdout=subprocess.DEVNULL)
            taken[name].append(run(words))
    width = max(len(name) for name in taken)
    first = None
    for name, runs in taken.items():
        cpu, wall, peak = (statistics.median(column) for column in zip(*runs))
        first = first or (cpu, wall)
        print(f"{name:{width}}  CPU {1000 * cpu:8.0f} ms  {cpu / first[0]:5.2f}   "
              f"wall {1000 * wall:8.0f} ms  {wall / first[1]:5.2f}   peak {peak:7.1f} MiB")


main()
