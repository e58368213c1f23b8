"""Read a manifest of many trainings, and check it as a whole.

    defaults: {prefer: fast, budget-minutes: 5}     options of every entry that has them
    bots:
      hotel-en: {files: hotel-en.json, language: en}        `train`: from exports to bundles
      bank-intent: {dataset: bank.csv, config: intent-light}    `fit`: from a dataset to a run

The keys are the options of `train` and of `fit` (`options.py`). Relative paths start from the manifest's folder.
"""

import argparse
import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from training.digest import file_digest
from training.errors import ConfigError, ManifestError
from training.fit_options import CHOICE, check_choice
from training.imports.vocabulary import entities_path
from training.many.options import DATA, Command, arguments_of, command_of, keys_of, parser_of
from training.many.record import read_record
from training.yaml_files import load_document

DEFAULTS, BOTS = "defaults", "bots"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
INPUTS = ("files", "dataset", "validation", "test", "config")
NOT_HASHED = ("output", "runs")


@dataclass(frozen=True)
class Entry:
    """One training of a manifest.

    Attributes:
        name: Its name.
        folder: Folder of its record and its log.
        command: The command line of `train` or `fit`, without `--force`.
        settings: Its options, as the manifest has them, with the defaults.
        inputs: The files that it reads.
        outputs: The folders that it writes: bundles and runs, or one run.
    """

    name: str
    folder: Path
    command: tuple[str, ...]
    settings: Mapping[str, Any]
    inputs: tuple[Path, ...]
    outputs: tuple[Path, ...]

    def digest(self) -> str:
        """Return the SHA-256 of the options and of the content of all files.

        Raises:
            ManifestError: A file cannot be read.
        """
        settings = {key: value for key, value in self.settings.items() if key not in NOT_HASHED}
        digest = hashlib.sha256(json.dumps([self.command[0], settings], sort_keys=True, default=str).encode())
        try:
            for path in self.inputs:
                digest.update(file_digest(path).encode())
        except OSError as error:
            raise ManifestError(f"{error.filename} cannot be read: {error.strerror}.") from None
        return digest.hexdigest()


def read_manifest(path: Path, output: Path) -> list[Entry]:
    """Read a manifest.

    Args:
        path: The YAML file.
        output: The folder for all entries.

    Returns:
        The entries, in the manifest's order.

    Raises:
        ManifestError: The manifest has mistakes. The message lists all of them.
    """
    try:
        content = load_document(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ManifestError(f"{path} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise ManifestError(f"{path} is not UTF-8: save it as UTF-8.") from None
    except ValueError as error:
        raise ManifestError(f"{path} {error}.") from None
    problems: list[str] = []
    entries = _entries(content, path.absolute().parent, output.absolute(), problems)
    problems += _shared_outputs(entries)
    problems += [problem for entry in entries for problem in _foreign_outputs(entry)]
    if problems:
        listed = "\n".join(f"  {problem}" for problem in problems)
        count = "one problem" if len(problems) == 1 else f"{len(problems)} problems"
        raise ManifestError(f"{path} has {count}, and nothing was started:\n{listed}")
    return entries


def _entries(content: Any, base: Path, output: Path, problems: list[str]) -> list[Entry]:
    """Return the entries without problems, and add the problems of the others to the list."""
    if not isinstance(content, dict) or not isinstance(content.get(BOTS), dict) or not content[BOTS]:
        problems.append("`bots:` is missing: expected a mapping with one entry per bot, such as `hotel-en: {files: x}`")
        return []
    sections = (DEFAULTS, BOTS)
    problems += (f"{key!r} is unknown{_nearest(str(key), sections)}" for key in content if key not in sections)
    defaults = content.get(DEFAULTS) or {}
    keys: dict[Command, dict[str, argparse.Action]] = {"train": keys_of("train"), "fit": keys_of("fit")}
    if not isinstance(defaults, dict):
        problems.append(f"{DEFAULTS}: expected a mapping of options, such as `prefer: fast`")
        return []
    shareable = [key for key in {**keys["train"], **keys["fit"]} if key not in (*DATA.values(), *NOT_HASHED)]
    problems += (
        f"{DEFAULTS}: {key!r} is unknown or only for one entry{_nearest(str(key), shareable)}"
        for key in defaults
        if key not in shareable
    )
    found = []
    for name, given in content[BOTS].items():
        told = len(problems)
        problems += (f"{name}: {problem}" for problem in _mistakes(name, given, keys))
        if len(problems) > told:
            continue
        command = command_of([*given])
        assert command is not None  # noqa: S101 - _mistakes has checked it
        # The choice of a configuration does not concern entries that name theirs.
        unused = CHOICE if "config" in given else ()
        shared = {key: value for key, value in defaults.items() if key in keys[command] and key not in unused}
        mistakes, entry = _entry(name, command, shared | given, keys[command], base, output)
        problems += (f"{name}: {problem}" for problem in mistakes)
        found += [entry] if entry else []
    return found


def _mistakes(name: Any, given: Any, keys: Mapping[Command, Mapping[str, Any]]) -> Iterator[str]:
    """Yield what is wrong with the name and the keys of an entry."""
    if not isinstance(name, str):
        yield f"YAML reads this name as {type(name).__name__}: put it in quotes"
    elif not NAME.fullmatch(name):
        yield "a name has up to 64 letters, digits, - and _, because it names a folder"
    if not isinstance(given, dict):
        yield "expected a mapping of options, such as `files: export.json`"
        return
    command = command_of([*given])
    if command is None:
        yield "expected either `files`, to run `train`, or `dataset`, to run `fit`"
    known = keys[command] if command else {**keys["train"], **keys["fit"]}
    for key in given:
        other = next((each for each in keys if key in keys[each]), None)
        if key in known:
            continue
        if other and command:
            yield f"{key!r} is an option of `{other}`, which reads `{DATA[other]}` in place of `{DATA[command]}`"
        else:
            yield f"{key!r} is unknown{_nearest(str(key), [*known])}"


def _entry(
    name: str, command: Command, settings: dict[str, Any], keys: Mapping[str, argparse.Action], base: Path, output: Path
) -> tuple[list[str], Entry | None]:
    """Return the problems of an entry's values, and the entry if there are none."""
    problems: list[str] = []
    arguments: list[str] = []
    positional: list[str] = []
    folder = output / name
    folders = (
        {"output": folder / "bundles", "runs": folder / "runs"} if command == "train" else {"output": folder / "run"}
    )
    for key, value in ({each: str(path) for each, path in folders.items()} | settings).items():
        try:
            found = arguments_of(key, value, keys[key], base)
        except ValueError as error:
            problems.append(f"{key}: {error}")
            continue
        (arguments if keys[key].option_strings else positional).extend(found)
    if problems:
        return problems, None
    line = [*arguments, *(["--", *positional] if positional else [])]
    try:
        options = parser_of(command).parse_args(line)
        if command == "fit":
            check_choice(options)
    except (ValueError, ConfigError) as error:
        return [str(error)], None
    inputs = [*_inputs(options)]
    missing = [f"{path} does not exist" for path in inputs if not path.exists()]
    outputs = tuple(Path(getattr(options, each)) for each in folders)
    return missing, Entry(name, folder, (command, *line), settings, (*inputs, *_vocabulary(options)), outputs)


def _inputs(options: argparse.Namespace) -> Iterator[Path]:
    for name in INPUTS:
        found = getattr(options, name, None) or []
        for path in found if isinstance(found, list) else [found]:
            if path.is_absolute():  # not the name of a built-in configuration
                yield path


def _vocabulary(options: argparse.Namespace) -> list[Path]:
    """Return the vocabulary of entities next to the dataset of `fit`, if there is one."""
    path = entities_path(options.dataset) if "dataset" in options else None
    return [path] if path and path.is_file() else []


def _shared_outputs(entries: list[Entry]) -> Iterator[str]:
    """Yield the pairs of entries of which one writes into a folder of the other. Some file systems ignore case."""
    owners: dict[str, str] = {}
    for entry in entries:
        for path in (entry.folder, *entry.outputs):
            owners.setdefault(str(path.resolve()).casefold(), entry.name)
    told: set[tuple[str, str]] = set()
    for entry in entries:
        for path in (entry.folder, *entry.outputs):
            for each in (path.resolve(), *path.resolve().parents):
                pair = (owners.get(str(each).casefold(), entry.name), entry.name)
                if pair[0] != pair[1] and pair not in told:
                    told.add(pair)
                    yield f"{pair[0]} and {pair[1]} both write {path}: give one of them another output"


def _foreign_outputs(entry: Entry) -> Iterator[str]:
    """Yield the folders that exist and that this entry has not written."""
    record = read_record(entry.folder)
    own = record.outputs if record else []
    for path in entry.outputs:
        if str(path) not in own and path.exists() and (not path.is_dir() or any(path.iterdir())):
            yield f"{entry.name}: {path} exists and is not from this manifest: choose another output, or move it away"


def _nearest(key: str, known: Any) -> str:
    close = get_close_matches(key.replace("_", "-"), known, n=1)
    return f": did you mean {close[0]!r}?" if close else f"; known are {', '.join(known)}"
