"""`python -m training`: run training commands where the `ludwig-serverless` command is not installed."""

import sys
from collections.abc import Sequence

from handler.command_line import main as run
from training.commands import COMMANDS

ABOUT = "Train language models with Ludwig."


def main(arguments: Sequence[str]) -> int:
    """Run a command and return its exit status."""
    return run("python -m training", ABOUT, COMMANDS, arguments)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
