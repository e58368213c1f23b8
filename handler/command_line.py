"""Parse the command line and run commands. Help stays fast to import, and errors are reported in one place.

Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted (Ctrl-C), 141 broken pipe (nothing reads the output).
"""

import argparse
import errno
import math
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import NamedTuple

from handler import __version__
from handler.errors import LudwigServerlessError
from handler.extras import how_to_install

OWN_PACKAGES = ("handler", "export", "training", "ludwig_serverless")
STORAGE_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES}
"""Errors that the user can fix: a full disk, a quota, a file size limit, a read-only or protected path."""
USAGE, INTERRUPTED, UNREAD = 2, 130, 141
EXIT_CODES = """\
exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted, 141 output closed.
Results go to stdout, everything else to stderr."""


class Command(NamedTuple):
    """A command, described without importing the code that runs it.

    Attributes:
        help: One line for the list of commands.
        group: The heading of the command in that list.
        target: `module:function`. The function gets the command's parser, adds the arguments and sets the default
            `run` to a function of the parsed options. Importing the module must stay cheap.
        extra: The extra in pyproject.toml that installs the packages of the command.
    """

    help: str
    group: str
    target: str
    extra: str = ""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Import the command's module and let it add its description and arguments to a parser."""
        module, _, function = self.target.partition(":")
        getattr(import_module(module), function)(parser)


def finite_number(given: str) -> float:
    """Parse a command-line argument as a number.

    Args:
        given: The argument.

    Returns:
        The number; NaN, which fails every range check, for anything else and for infinity.
    """
    try:
        number = float(given)
    except ValueError:
        return math.nan
    return number if math.isfinite(number) else math.nan


def count_of(what: str) -> Callable[[str], int]:
    """Return a parser of a command-line argument that counts something.

    Args:
        what: What it counts, with an example, such as `workers, such as 2`, for the error.

    Returns:
        A function that returns the number. It raises `argparse.ArgumentTypeError` unless it is a whole one from 1.
    """

    def count(given: str) -> int:
        if not given.isdecimal() or int(given) < 1:
            raise argparse.ArgumentTypeError(f"expected a number of {what}, got {given!r}")
        return int(given)

    return count


def usable_cores() -> int:
    """Return the number of cores that this process may use: the default of options that count processes."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def main(program: str, about: str, commands: Mapping[str, Command], arguments: Sequence[str]) -> int:
    """Run one of several commands.

    Args:
        program: The program's name in help and errors, such as `ludwig-serverless`.
        about: What the program does, for its help.
        commands: The commands by name, in the order in which help lists them.
        arguments: The command line without the program.

    Returns:
        The exit status.

    Raises:
        SystemExit: After `--help`, `--version` and wrong usage, as argparse does.
    """
    chosen = next((argument for argument in arguments if not argument.startswith("-")), "")
    if not arguments or (chosen and chosen not in commands):
        parser = build_parser(program, about, commands, only="")
        if arguments:
            parser.error(_unknown(chosen, commands))
        parser.print_help(sys.stderr)
        parser.exit(USAGE)

    def work() -> int | None:
        options = build_parser(program, about, commands, only=chosen).parse_args(arguments)
        status: int | None = options.run(options)
        return status

    return _run(work, f"{program} {chosen}".rstrip(), commands[chosen].extra if chosen else "")


def main_of_one(program: str, command: Command, arguments: Sequence[str]) -> int:
    """Run a program that has only one command.

    Args:
        program: The program's name in help and errors.
        command: The command.
        arguments: The command line without the program.

    Returns:
        The exit status.
    """
    parser = argparse.ArgumentParser(prog=program, formatter_class=argparse.RawDescriptionHelpFormatter)
    _add_version(parser)

    def work() -> int | None:
        command.add_arguments(parser)
        options = parser.parse_args(arguments)
        status: int | None = options.run(options)
        return status

    return _run(work, program, command.extra)


def build_parser(
    program: str, about: str, commands: Mapping[str, Command], *, only: str | None = None
) -> argparse.ArgumentParser:
    """Return the parser of all commands.

    Args:
        program: The program's name in help and errors.
        about: What the program does.
        commands: The commands by name.
        only: The one command to add arguments for; None adds the arguments of every command.

    Returns:
        A parser that stores the command's name as `command`.
    """
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        prog=program,
        usage=f"{program} [--help] [--version] COMMAND ...",
        description=f"{about}\n{_listing(commands)}",
        epilog=f"`{program} COMMAND --help` shows examples.\n{EXIT_CODES}",
        formatter_class=raw,
    )
    _add_version(parser)
    # The description lists the commands by group, which argparse cannot do.
    subparsers = parser.add_subparsers(
        required=True, dest="command", metavar="COMMAND", help=argparse.SUPPRESS, prog=program
    )
    for name, command in commands.items():
        subparser = subparsers.add_parser(name, help=command.help, formatter_class=raw)
        if only in (name, None):
            command.add_arguments(subparser)
    return parser


def add_force(parser: argparse.ArgumentParser, told: str, *old_names: str) -> None:
    """Add `--force` and its former names, which help does not show.

    Args:
        parser: The command's parser. The option is stored as `force`.
        told: The help text, which says what is replaced.
        old_names: The former names, such as `--overwrite`.
    """
    parser.add_argument("--force", action="store_true", dest="force", help=told)
    if old_names:
        parser.add_argument(*old_names, action="store_true", dest="force", help=argparse.SUPPRESS)


def _add_version(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--version", action="version", version=f"ludwig-serverless {__version__}")


def _listing(commands: Mapping[str, Command]) -> str:
    """Return one line for each command, under the heading of its group."""
    width = max(map(len, commands))
    lines: list[str] = []
    for group in dict.fromkeys(command.group for command in commands.values()):
        lines += ["", f"{group}:"]
        lines += [f"  {name:<{width}}  {found.help}" for name, found in commands.items() if found.group == group]
    return "\n".join(lines)


def _unknown(name: str, commands: Mapping[str, Command]) -> str:
    from difflib import get_close_matches

    close = get_close_matches(name, commands, n=1)
    advice = f"Did you mean {close[0]}?" if close else f"The commands are: {', '.join(commands)}."
    return f"unknown command {name!r}. {advice}"


def _run(work: Callable[[], int | None], program: str, extra: str) -> int:
    """Run a command. Errors that are raised on purpose become one line; others keep their traceback.

    Args:
        work: Parses the command line and runs the command.
        program: The program and the command, as the user typed them.
        extra: The extra that installs the command's packages.

    Returns:
        The exit status.
    """
    try:
        status = work()
        sys.stdout.flush()
    except LudwigServerlessError as error:
        return _failed(str(error))
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package in OWN_PACKAGES:
            raise
        return _failed(f"`{program}` needs {package}, which is not installed: {how_to_install(extra)}.")
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Python flushes stdout again when it exits, and would print a second error.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return UNREAD
    except OSError as error:
        if error.errno not in STORAGE_ERRORS:
            raise
        return _failed(_storage_failure(error))
    return status or 0


def _storage_failure(error: OSError) -> str:
    where = f"{error.filename} cannot be written" if error.filename else "A file cannot be written"
    return f"{where}: {error.strerror}. Free some space or choose another path, then run the same command again."


def _failed(message: str) -> int:
    print(f"error: {message}", file=sys.stderr)
    return 1
