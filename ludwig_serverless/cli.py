"""The console script `ludwig-serverless`: run the commands of all packages, including those of other distributions."""

import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import entry_points
from typing import TYPE_CHECKING

from ludwig_serverless.collision import find_collision

if TYPE_CHECKING:
    from handler.command_line import Command

ABOUT = """\
Train NLU models with Ludwig for the chatbot platform Hexabot, export them to small bundles that are proven to give the
same answers, and serve the bundles without Ludwig, on AWS Lambda or anywhere else."""
GROUP = "ludwig_serverless.commands"
GROUPS = ("Train", "Export", "Serve", "Publish", "Shell")
TABLES = ("training.commands", "export.commands", "handler.commands", "ludwig_serverless.commands")
"""Command tables of this distribution. pyproject.toml registers them too, but a checkout is not installed."""


def main(arguments: Sequence[str] | None = None, *, program: str = "ludwig-serverless") -> int:
    """Run a command.

    Args:
        arguments: The command line without the program; None uses the arguments of this process.
        program: Name of the program in help texts.

    Returns:
        The exit status; see `handler.command_line`.
    """
    if collision := find_collision():
        print(f"error: {collision}", file=sys.stderr)
        return 1
    from handler.command_line import main as run

    return run(program, ABOUT, find_commands(), sys.argv[1:] if arguments is None else arguments)


def find_commands() -> "dict[str, Command]":
    """Return all commands by name, in the order of the help. If a name is registered twice, the first table wins."""
    commands: dict[str, Command] = {}
    for table in TABLES:
        commands |= import_module(table).COMMANDS
    for entry_point in entry_points(group=GROUP):
        if entry_point.module in TABLES:
            continue
        try:
            found = entry_point.load()
        except Exception as error:  # a broken third-party package must not break all commands
            print(f"Cannot load the commands of {entry_point.value}: {error}", file=sys.stderr)
            continue
        commands |= {name: command for name, command in found.items() if name not in commands}
    return dict(sorted(commands.items(), key=lambda found: _rank(found[1])))


def _rank(command: "Command") -> int:
    """Return the position of a command's group in the help; groups of other distributions come last."""
    return GROUPS.index(command.group) if command.group in GROUPS else len(GROUPS)
