"""Write the output of `ludwig-serverless cost` into docs/deploy.md and docs/scale.md, from the latest measurements."""

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.report import ROOT, write_section

PART = "costs"
DEPLOY, SCALE = ROOT / "docs" / "deploy.md", ROOT / "docs" / "scale.md"
RAISED = "--requests-per-second 25000 --request-burst 5000 --api-requests-per-second 25000 --account-concurrency 3000"
LARGE = "1e6/day --burst 20x60 --requests-per-second 500 --request-burst 500 --answer-milliseconds 60"
SECTIONS = {
    "refused": ("--refused-per-second 20",),
    "costs": ("--messages-per-month 10000", "--messages-per-month 1000000"),
    "simulated": ("--simulate",),
    "raised": (f"--simulate 100/s 1000/s 10000/s {RAISED}",),
    "burst": tuple(f"--simulate {LARGE} --start-milliseconds 4000{more}" for more in ("", " --provisioned 40")),
}
"""The commands of each section. The assumptions are printed only in the first section of a page."""
ON_DEPLOY = ("refused", "costs")
WITHOUT_ASSUMPTIONS = ("raised", "burst")


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the sections, and return the exit status."""
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.{PART}", description=__doc__)
    parser.add_argument("--page", type=Path, default=DEPLOY, help="page with the bills (default: %(default)s)")
    parser.add_argument("--scale", type=Path, default=SCALE, help="page with the simulations (default: %(default)s)")
    options = parser.parse_args(arguments)
    for name, commands in SECTIONS.items():
        lines: list[str] = []
        for command in commands:
            printed = output(command)
            if printed is None:
                return 1
            lines += [f"`ludwig-serverless cost {command}`:", "", *shown(name, printed), ""]
        write_section(options.page if name in ON_DEPLOY else options.scale, name, lines[:-1])
    return 0


def output(command: str) -> str | None:
    """Return what `ludwig-serverless cost` prints, or None if it fails."""
    full = [sys.executable, "-m", "ludwig_serverless", "cost", *command.split()]
    done = subprocess.run(full, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    return None if done.returncode else done.stdout


def shown(section: str, printed: str) -> list[str]:
    """Return the lines of an output that a section shows."""
    if section in WITHOUT_ASSUMPTIONS:
        printed = printed.partition("\nAssumptions:\n")[0]
    return printed.rstrip("\n").splitlines()


if __name__ == "__main__":
    raise SystemExit(main())
