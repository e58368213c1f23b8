"""Run every measurement, or those that are named, one after another; one that fails does not hold up the others."""

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
"""What a measurement that ran out of time is given to take its containers and servers down."""


@dataclass(frozen=True)
class Part:
    """A module of this package.

    Attributes:
        name: The module's name.
        seconds: The most that it may take, the first setup included.
        shows: What it measures.
        is_asked_for: It runs only where it is named.
    """

    name: str
    seconds: int
    shows: str
    is_asked_for: bool = False


PARTS = (
    Part("cold", 1500, "cold starts in containers, beside the minimal baseline and FastAPI as it comes"),
    Part("warm", 300, "one warm answer, in process and under the emulator"),
    Part("memory", 600, "memory, import by import, lower limits, the image's size"),
    Part("growth", 600, "how latency and memory grow, and where they bend"),
    Part("beside_ludwig", 1500, "Ludwig's own servers, with the same models"),
    Part("batch", 900, "a batch of 256 rows beside Ludwig"),
    Part("costs", 60, "the bill in docs/deploy.md, from the figures above"),
    Part("quality", 7 * 86400, "docs/quality.md: how good the configurations are, on your sets (--data)", True),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, and say at the end what failed. Returns the exit status."""
    listed = "\n".join(f"  {part.name:<15}{part.shows}" for part in PARTS)
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        epilog=f"parts:\n{listed}\n\nEach writes its own section of docs/performance.md (costs: of docs/deploy.md), "
        "and can be run alone,\nwith options of its own: `python -m benchmarks.cold --help`.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help="what to measure (all)")
    options, own = parser.parse_known_args(arguments)
    known = {part.name: part for part in PARTS}
    unknown = [name for name in options.parts if name not in known]
    if unknown:
        parser.error(f"there is no part {', '.join(unknown)}; there are {', '.join(known)}")
    if own and len(options.parts) != 1:
        parser.error(f"{own[0]} is an option of one part: name that part alone")
    asked = options.parts or [part.name for part in PARTS if not part.is_asked_for]
    failed = [part.name for part in PARTS if part.name in asked and not succeeds(part, own)]
    if failed:
        say(f"error: these parts failed, and their sections stayed as they were or say why: {', '.join(failed)}")
    return 1 if failed else 0


def succeeds(part: Part, options: Sequence[str] = ()) -> bool:
    """Run a part with its options in its own process, and tell whether it went well in time."""
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
    say(f"== {part.name} took {time.monotonic() - begun:.0f} s, and {'failed' if status else 'went well'}")
    return status == 0


def _end(process: "subprocess.Popen[bytes]") -> None:
    """End a part that still runs, gently first: it has containers and servers to take down."""
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
