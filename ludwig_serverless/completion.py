"""The command `ludwig-serverless completion`: print a script that completes commands, options and files in a shell."""

import argparse
from pathlib import Path

SHELLS = ("bash", "zsh", "tcsh")
DESCRIPTION = """
Print a script that completes the commands, their options and file names in a shell.
"""
EXAMPLES = """
examples:
  ludwig-serverless completion bash > ~/.local/share/bash-completion/completions/ludwig-serverless
  ludwig-serverless completion zsh > ~/.zfunc/_ludwig-serverless       (with fpath+=~/.zfunc before compinit in .zshrc)
  eval "$(ludwig-serverless completion bash)"                          (for this shell only)

Next: open a new shell, and press the Tab key after `ludwig-serverless `.
"""


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `completion` to its parser."""
    parser.description, parser.epilog = DESCRIPTION, EXAMPLES
    parser.add_argument("shell", choices=SHELLS)
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> None:
    import shtab

    from handler.command_line import build_parser
    from ludwig_serverless.cli import ABOUT, find_commands

    parser = build_parser("ludwig-serverless", ABOUT, find_commands())
    _prepare(parser)
    print(shtab.complete(parser, shell=options.shell))


def _prepare(parser: argparse.ArgumentParser) -> None:
    """Mark path arguments for file completion, and reset the help of subcommands, whose format shtab cannot read."""
    import shtab

    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            action.help = None
            for subparser in action.choices.values():
                _prepare(subparser)
        elif action.type is Path or action.metavar == "BUNDLES":
            action.complete = shtab.FILE  # type: ignore[attr-defined]
