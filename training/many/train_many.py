"""Train the entries of a manifest that are not finished, and report all of them."""

import argparse
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from export.console import duration, say
from handler.command_line import usable_cores
from training.errors import BusyError
from training.locks import lock
from training.many.manifest import Entry, read_manifest
from training.many.record import LOG, Record, read_record, write_record
from training.many.report import REPORT, write_reports

LOCK = ".lock"


def train_many(options: argparse.Namespace) -> int:
    """Run `ludwig-serverless train-many`.

    Args:
        options: The parsed options.

    Returns:
        The exit status: 1 if an entry failed.

    Raises:
        ManifestError: The manifest has mistakes.
        BusyError: Another command trains in the same folder.
    """
    entries = read_manifest(options.manifest, options.output)
    digests = {entry.name: entry.digest() for entry in entries}
    waiting = [entry for entry in entries if not _is_done(entry, digests[entry.name])]
    noun = "entry" if len(entries) == 1 else "entries"
    say(f"{len(entries)} {noun}, {len(waiting)} to train, {len(entries) - len(waiting)} finished and unchanged.")
    if options.check:
        return 0
    options.output.mkdir(parents=True, exist_ok=True)
    with _held(options.output):
        for entry in waiting:
            _claim(entry, digests[entry.name])
        write_reports(options.output, [entry.folder for entry in entries])
        progress = EntryProgress(len(waiting))
        try:
            for record in _run(waiting, options):
                progress.tell(record)
                write_reports(options.output, [entry.folder for entry in entries])
        except KeyboardInterrupt:
            say("Interrupted. Run the same command again to resume.")
            raise
    say(f"Report: {options.output / REPORT}")
    return _told(entries, options)


class EntryProgress:
    """Prints a line for each entry that ends, with the count and the time left."""

    def __init__(self, total: int) -> None:
        """Start the clock.

        Args:
            total: Number of entries to train.
        """
        self._total, self._done, self._started = total, 0, time.monotonic()

    def tell(self, record: Record) -> None:
        """Print a line.

        Args:
            record: The record of the entry that ended.
        """
        self._done += 1
        if record.state == "finished":
            scores = ", ".join(f"{name} {each.score:.1%} {each.metric}" for name, each in record.scores.items())
            found = f"finished in {duration(record.seconds)}: {scores}"
        else:
            found = f"failed: {record.reason.rstrip('.')}"
        average = (time.monotonic() - self._started) / self._done
        left = self._total - self._done
        time_left = f"; about {duration(average * left)} left" if left else ""
        say(f"[{self._done}/{self._total}] {record.name} {found}{time_left}")


def _run(entries: Sequence[Entry], options: argparse.Namespace) -> Iterator[Record]:
    if not entries:
        return iter(())
    if options.engine == "ray":
        from training.many import on_ray

        return on_ray.run(
            entries,
            address=options.address,
            workers=options.workers,
            cpus=options.cpus,
            gpus=options.gpus,
            retries=options.retries,
        )
    from training.many import local

    workers = options.workers or max(1, usable_cores() // options.cpus)
    return local.run(entries, workers=workers, cpus=options.cpus, retries=options.retries)


def _is_done(entry: Entry, digest: str) -> bool:
    """Return whether an entry is finished, and neither its data nor its options changed since."""
    record = read_record(entry.folder)
    outputs = [str(path) for path in entry.outputs]
    return record is not None and record.is_complete() and (record.digest, record.outputs) == (digest, outputs)


def _claim(entry: Entry, digest: str) -> None:
    """Write the record of an entry that is to be trained. What it trained from other data or options is replaced."""
    record = read_record(entry.folder)
    is_resumed = record is not None and record.digest == digest
    if record and not is_resumed and entry.command[0] == "train" and (runs := entry.outputs[1]).is_dir():
        # `train` compares the new runs with these.
        previous = runs.with_name(f"{runs.name}-previous")
        shutil.rmtree(previous, ignore_errors=True)
        runs.rename(previous)
    entry.folder.mkdir(parents=True, exist_ok=True)
    new = Record(entry.name, digest, [*entry.command], [str(path) for path in entry.outputs])
    if record and is_resumed:
        new = Record(new.name, digest, new.command, new.outputs, attempts=record.attempts, seconds=record.seconds)
    write_record(entry.folder, new)


def _told(entries: Sequence[Entry], options: argparse.Namespace) -> int:
    """Say what failed and what to do next. Returns the exit status."""
    records = [record for entry in entries if (record := read_record(entry.folder))]
    failed = [record.name for record in records if record.state != "finished"]
    if not failed:
        bundles = next((entry.outputs[0] for entry in entries if entry.command[0] == "train"), None)
        say(
            f"All {len(entries)} entries are finished."
            + (f" Next: ludwig-serverless ask {bundles} TEXT" if bundles else "")
        )
        return 0
    say(
        f"error: {len(failed)} of {len(entries)} entries failed: {', '.join(failed)}. The report and "
        f"{options.output}/NAME/{LOG} say why. Correct them and run the same command again: it trains only these."
    )
    return 1


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """Lock a folder for this command inside the context."""
    with (folder / LOCK).open("a") as file:
        try:
            lock(file.fileno())
        except BlockingIOError:
            raise BusyError(
                f"Another `train-many` is running in {folder}: wait for it, or choose another --output."
            ) from None
        yield
