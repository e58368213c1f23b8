"""The console script `ludwig-serverless`: the commands of all packages, and of others that register theirs."""

import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import entry_points
from typing import TYPE_CHECKING

from ludwig_serverless.collision import find_collision

if TYPE_CHECKING:
    from handler.command_line import Command

ABOUT = """\
Train language models with Ludwig for the chatbot platform Hexabot, export them to small bundles that are proven to
answer alike, and serve these without Ludwig: on AWS Lambda, or anywhere else."""
GROUP = "ludwig_serverless.commands"
GROUPS = ("Train", "Export", "Serve", "Publish", "Shell")
TABLES = ("training.commands", "export.commands", "handler.commands", "ludwig_serverless.commands")
"""The tables of this distribution, which pyproject.toml registers too. A checkout has them without an installation."""


def main(arguments: Sequence[str] | None = None, *, program: str = "ludwig-serverless") -> int:
    """Run a command.

    Args:
        arguments: The command line without the program; that of this process by default.
        program: What the help calls the program.

    Returns:
        The exit status: `handler.command_line` lists them.
    """
    if collision := find_collision():
        print(f"error: {collision}", file=sys.stderr)
        return 1
    from handler.command_line import main as run

    return run(program, ABOUT, find_commands(), sys.argv[1:] if arguments is None else arguments)


def find_commands() -> "dict[str, Command]":
    """Return every command by name, in the order of the help. A name belongs to the table that registered it first."""
    commands: dict[str, Command] = {}
    for table in TABLES:
        commands |= import_module(table).COMMANDS
    for entry_point in entry_points(group=GROUP):
        if entry_point.module in TABLES:
            continue
        try:
            found = entry_point.load()
        except Exception as error:  # A broken package of somebody else must not take the other commands away.
            print(f"The commands of {entry_point.value} cannot be loaded: {error}", file=sys.stderr)
            continue
        commands |= {name: command for name, command in found.items() if name not in commands}
    return dict(sorted(commands.items(), key=lambda found: _rank(found[1])))


def _rank(command: "Command") -> int:
    """Return where the help lists a command's group; groups of other packages come last."""
    return GROUPS.index(command.group) if command.group in GROUPS else len(GROUPS)
