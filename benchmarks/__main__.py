"""Run all measurements, or the named ones, one after another; a failure does not stop the others."""

import argparse
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.report import ROOT, say

END_SECONDS = 30
"""Grace period for a measurement that exceeded its time limit, to stop its containers and servers."""


@dataclass(frozen=True)
class Part:
    """A measurement: one module of this package.

    Attributes:
        name: Name of the module.
        seconds: Time limit, including the first setup.
        shows: What it measures.
        is_asked_for: Whether it runs only if it is named.
    """

    name: str
    seconds: int
    shows: str
    is_asked_for: bool = False


PARTS = (
    Part("cold", 1500, "cold starts in containers, beside the minimal baseline and plain FastAPI"),
    Part("warm", 300, "one warm answer, in process and under the emulator"),
    Part("memory", 600, "memory, import by import, lower limits, the image's size"),
    Part("growth", 600, "how latency and memory grow, and where they bend"),
    Part("beside_ludwig", 1500, "Ludwig's own servers, with the same models"),
    Part("batch", 900, "a batch of 256 rows beside Ludwig"),
    Part("bulk", 1800, "`ludwig-serverless batch`: a million rows, with one process and with all"),
    Part("scaling", 600, "the simulator of Lambda's scaling beside real environments"),
    Part("parallel", 1800, "one training on two workers beside the same on one"),
    Part("capture", 300, "what capture adds to an answer, and its first upload beside boto3"),
    Part("costs", 180, "the bills in docs/deploy.md and docs/scale.md, from the figures above"),
    Part("quality", 7 * 86400, "docs/quality.md: how good the configurations are, on your sets (--data)", True),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the measurements, report failures at the end, and return the exit status."""
    listed = "\n".join(f"  {part.name:<15}{part.shows}" for part in PARTS)
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        epilog=f"parts:\n{listed}\n\nEach part writes its own section of docs/performance.md (costs: of "
        "docs/deploy.md and docs/scale.md).\nEach can run alone, with further options: "
        "`python -m benchmarks.cold --help`.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help="what to measure (default: all)")
    options, own = parser.parse_known_args(arguments)
    known = {part.name: part for part in PARTS}
    unknown = [name for name in options.parts if name not in known]
    if unknown:
        parser.error(f"unknown part {', '.join(unknown)}: expected {', '.join(known)}")
    if own and len(options.parts) != 1:
        parser.error(f"{own[0]} is an option of a single part: name only that part")
    asked = options.parts or [part.name for part in PARTS if not part.is_asked_for]
    failed = [part.name for part in PARTS if part.name in asked and not succeeds(part, own)]
    if failed:
        say(f"error: these parts failed: {', '.join(failed)}. Their sections are unchanged, or contain the reason.")
    return 1 if failed else 0


def succeeds(part: Part, options: Sequence[str] = ()) -> bool:
    """Run a part in its own process, and return whether it succeeded within its time limit."""
    say(f"== {part.name}: {part.shows}")
    begun = time.monotonic()
    command = [sys.executable, "-m", f"benchmarks.{part.name}", *options]
    process = subprocess.Popen(command, cwd=ROOT, start_new_session=True)
    try:
        status = process.wait(part.seconds)
    except subprocess.TimeoutExpired:
        say(f"{part.name} was stopped after {part.seconds} seconds")
        status = 1
    finally:
        _end(process)
    say(f"== {part.name} {'failed' if status else 'succeeded'} after {time.monotonic() - begun:.0f} s")
    return status == 0


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Stop a part that still runs, first with SIGTERM, so that it can stop its containers and servers."""
    if process.poll() is not None:
        return
    process.send_signal(signal.SIGINT)
    try:
        process.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


if __name__ == "__main__":
    raise SystemExit(main())
