"""`python -m training`: the training's commands, where `ludwig-serverless` is not installed."""

import sys
from collections.abc import Sequence

from handler.command_line import main as run
from training.commands import COMMANDS

ABOUT = "Train language models with Ludwig."


def main(arguments: Sequence[str]) -> int:
    """Run a command. Returns the exit status."""
    return run("python -m training", ABOUT, COMMANDS, arguments)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
