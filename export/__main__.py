"""`python -m export`: run the export where the `ludwig-serverless` command is not installed."""

import sys
from collections.abc import Sequence

from export.commands import COMMANDS
from handler.command_line import main_of_one


def main(arguments: Sequence[str]) -> int:
    """Export each pair of folders. Return the exit status: 0, or 1 if one failed."""
    return main_of_one("python -m export", COMMANDS["export"], arguments)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
