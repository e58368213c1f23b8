"""`python -m handler`: run the handler's commands where the `ludwig-serverless` command is not installed."""

import sys
from collections.abc import Sequence

from handler.command_line import main as run
from handler.commands import COMMANDS

ABOUT = "Serve exported Ludwig models, without Ludwig."
MOVED = ("cost",)
"""Commands that moved out of the handler because they need other packages."""


def main(arguments: Sequence[str]) -> int:
    """Run a command; `python -m handler BUNDLES` is short for `serve BUNDLES`. Returns the exit status."""
    arguments = list(arguments)
    if arguments and arguments[0] in MOVED:
        print(f"error: `{arguments[0]}` has moved: run `python -m ludwig_serverless {arguments[0]}`.", file=sys.stderr)
        return 2
    if arguments and arguments[0] not in COMMANDS and not arguments[0].startswith("-"):
        arguments.insert(0, "serve")
    return run("python -m handler", ABOUT, COMMANDS, arguments)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
