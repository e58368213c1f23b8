"""The keys of an entry: the options of `train` and of `fit`, without their dashes."""

import argparse
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NoReturn, get_args

from training.commands import COMMANDS

type Command = Literal["train", "fit"]
DATA: Mapping[Command, str] = {"train": "files", "fit": "dataset"}
"""The key that only entries of one command have, and that decides which command an entry runs."""
NOT_FOR_ENTRIES = frozenset({"force", "backend", "address", "cpus", "gpus", "workers", "hyperopt", "trials"})
"""Options about where and how often to train, which the manifest's command decides for all entries."""


class OptionParser(argparse.ArgumentParser):
    """A parser that raises ValueError in place of ending the process."""

    def error(self, message: str) -> NoReturn:
        """Raise ValueError with the message."""
        raise ValueError(message)


def parser_of(command: Command) -> OptionParser:
    """Return the parser of a command's arguments.

    Args:
        command: `train` or `fit`.
    """
    parser = OptionParser(prog=command, add_help=False, allow_abbrev=False)
    COMMANDS[command].add_arguments(parser)
    return parser


def keys_of(command: Command) -> dict[str, argparse.Action]:
    """Return the keys that an entry of a command may have.

    Args:
        command: `train` or `fit`.

    Returns:
        The parser's action for each key, such as `budget-minutes`.
    """
    actions = {(each.option_strings or [each.dest])[-1].lstrip("-"): each for each in parser_of(command)._actions}
    return {key: action for key, action in actions.items() if key not in NOT_FOR_ENTRIES}


def command_of(keys: Sequence[str]) -> Command | None:
    """Return the command that an entry runs, or None if its keys do not say so.

    Args:
        keys: The keys of the entry.
    """
    found: list[Command] = [command for command in get_args(Command.__value__) if DATA[command] in keys]
    return found[0] if len(found) == 1 else None


def arguments_of(key: str, value: Any, action: argparse.Action, folder: Path) -> list[str]:
    """Return the command-line arguments for a key and its value.

    Args:
        key: The key.
        value: Its value, as YAML reads it.
        action: The parser's action for the key.
        folder: The folder that relative paths start from.

    Returns:
        Arguments such as `--seed=7`. Positional ones have no name.

    Raises:
        ValueError: The value has the wrong type or is not one of the choices. The message says what is expected.
    """
    if action.nargs == 0:  # a flag, such as --calibrate
        if not isinstance(value, bool):
            raise ValueError("expected true or false")
        return [f"--{key}"] if value else []
    is_list = isinstance(action, argparse._AppendAction) or action.nargs == "+"
    if isinstance(value, list) and not is_list:
        raise ValueError("expected one value, found a list")
    texts = [_text(each, action, folder) for each in (value if isinstance(value, list) else [value])]
    if not texts:
        raise ValueError("the list is empty")
    return [f"--{key}={text}" for text in texts] if action.option_strings else texts


def _text(value: Any, action: argparse.Action, folder: Path) -> str:
    """Return a value as text that the parser accepts."""
    if isinstance(value, bool):
        raise ValueError(f"YAML reads it as {str(value).lower()}: put it in quotes")  # `language: no` is Norwegian
    if not isinstance(value, str | int | float):
        raise ValueError(f"expected text or a number, found {'nothing' if value is None else type(value).__name__}")
    text = str(value)
    if action.type is Path:
        return _path(text, action.dest, folder)
    try:
        converted = action.type(text) if callable(action.type) else text
    except (argparse.ArgumentTypeError, ValueError) as error:
        expected = "expected a whole number" if action.type is int else str(error)
        raise ValueError(expected) from None
    if action.choices is not None and converted not in action.choices:
        raise ValueError(f"expected one of {', '.join(map(str, action.choices))}")
    return text


def _path(text: str, name: str, folder: Path) -> str:
    """Return an absolute path; the name of a built-in configuration stays as it is."""
    from training.config import CONFIGS

    if name == "config" and Path(text).name == text and (CONFIGS / text).with_suffix(".yaml").is_file():
        return text
    return os.path.normpath(folder / Path(text).expanduser())
