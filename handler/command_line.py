"""Parse the command line and run commands: help stays fast to import, and errors are reported in one place.

Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted (Ctrl-C), 141 nobody reads the output any more.
"""

import argparse
import errno
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
"""What the user can cure: a full disk, a quota, a limit, a place that is read-only."""
USAGE, INTERRUPTED, UNREAD = 2, 130, 141
EXIT_CODES = """\
exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted. Results go to stdout, everything else to stderr."""


class Command(NamedTuple):
    """A command, described without importing what runs it.

    Attributes:
        help: One line for the list of commands.
        group: The heading that the command is listed under.
        target: `module:function`; the function takes the command's parser, adds the arguments and sets the default
            `run`, a function of the parsed options. Importing the module must stay cheap.
        extra: The extra in pyproject.toml that installs what the command needs.
    """

    help: str
    group: str
    target: str
    extra: str = ""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Import the command's module, and let it add its description and its arguments to a parser."""
        module, _, function = self.target.partition(":")
        getattr(import_module(module), function)(parser)


def main(program: str, about: str, commands: Mapping[str, Command], arguments: Sequence[str]) -> int:
    """Run one of several commands.

    Args:
        program: How the user starts it, such as `ludwig-serverless`.
        about: What the program does, for its help.
        commands: The commands by name, in the order of the list.
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
    """Run the only command of a program, which has no name of its own. Returns the exit status."""
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
        program: How the user starts it.
        about: What the program does.
        commands: The commands by name.
        only: The one command that gets its arguments; None gives every command its arguments.

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
    """Add `--force`, and the names that it had before, which the help does not show.

    Args:
        parser: The command's parser. The option is stored as `force`.
        told: What is replaced.
        old_names: Such as `--overwrite`.
    """
    parser.add_argument("--force", action="store_true", dest="force", help=told)
    if old_names:
        parser.add_argument(*old_names, action="store_true", dest="force", help=argparse.SUPPRESS)


def _add_version(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--version", action="version", version=f"ludwig-serverless {__version__}")


def _listing(commands: Mapping[str, Command]) -> str:
    """Return the commands under their groups, a line each."""
    width = max(map(len, commands))
    lines: list[str] = []
    for group in dict.fromkeys(command.group for command in commands.values()):
        lines += ["", f"{group}:"]
        lines += [f"  {name:<{width}}  {found.help}" for name, found in commands.items() if found.group == group]
    return "\n".join(lines)


def _unknown(name: str, commands: Mapping[str, Command]) -> str:
    from difflib import get_close_matches

    close = get_close_matches(name, commands, n=1)
    advice = f"Did you mean {close[0]}?" if close else f"It is one of: {', '.join(commands)}."
    return f"there is no command {name!r}. {advice}"


def _run(work: Callable[[], int | None], program: str, extra: str) -> int:
    """Do a command's work; errors that are raised on purpose become one line, others keep their traceback.

    Args:
        work: Parses the command line and does what it asks for.
        program: What the user typed, with the command.
        extra: What installs the command's packages.

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
        # Python flushes stdout once more when it exits, and would complain there.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return UNREAD
    except OSError as error:
        if error.errno not in STORAGE_ERRORS:
            raise
        return _failed(_storage_failure(error))
    return status or 0


def _storage_failure(error: OSError) -> str:
    where = f"{error.filename} cannot be written" if error.filename else "A file cannot be written"
    return f"{where}: {error.strerror}. Make room or give another place, and run the same command again."


def _failed(message: str) -> int:
    print(f"error: {message}", file=sys.stderr)
    return 1
