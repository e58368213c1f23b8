"""Write the output of `ludwig-serverless cost` into docs/deploy.md, from the latest measurements."""

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.report import ROOT, write_section

PART = "costs"
DEPLOY = ROOT / "docs" / "deploy.md"
MESSAGES = ("10000", "1000000")


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the section, and return the exit status."""
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.{PART}", description=__doc__)
    parser.add_argument("--page", type=Path, default=DEPLOY, help="page with the section (default: %(default)s)")
    page: Path = parser.parse_args(arguments).page
    lines: list[str] = []
    for number in MESSAGES:
        command = ["cost", "--messages-per-month", number]
        done = subprocess.run(
            [sys.executable, "-m", "ludwig_serverless", *command], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        if done.returncode:
            return done.returncode
        lines += [f"`ludwig-serverless {' '.join(command)}`:", "", *done.stdout.splitlines(), ""]
    write_section(page, PART, lines[:-1])
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
