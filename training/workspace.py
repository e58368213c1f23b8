"""The folder of a training that is not finished: `.NAME-training`, beside the run that it will be.

    started.json         what is trained: the configuration, a digest of the rows, the seed
    checkpoint-STEPS/    the training as it was after so many steps, whole:
        training_checkpoints/    Ludwig's weights, the best and the latest, with the optimizer
        training_progress.json   Ludwig's epoch, steps and metrics
        schedule.pt              the learning rate and its schedule, which Ludwig forgets
        whole.json               seconds spent so far, and the size of each of these files
    ludwig/              what Ludwig writes; made anew from the checkpoint when a training goes on

The folder may be copied, also while it is written to, and go on elsewhere: `started.json` and the checkpoints are all
that it takes. A checkpoint whose copy is not whole is passed over for the one before.
"""

import fcntl
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from export.console import say
from training.errors import BusyError, TrainingError

STARTED = "started.json"
CHECKPOINT = "checkpoint-"
CHECKPOINTS, PROGRESS, SCHEDULE, WHOLE = (
    "training_checkpoints",
    "training_progress.json",
    "schedule.pt",
    "whole.json",
)
MODEL = "model"
SHOWN = 6


@dataclass(frozen=True)
class Checkpoint:
    """A training as it was at the end of an epoch."""

    folder: Path

    @property
    def steps(self) -> int:
        """How many batches were trained on."""
        return int(self.folder.name.removeprefix(CHECKPOINT))

    @property
    def epoch(self) -> int:
        """How many epochs are done."""
        return int(json.loads((self.folder / PROGRESS).read_text(encoding="utf-8"))["epoch"])

    @property
    def seconds(self) -> float:
        """How long the training took up to here."""
        return float(json.loads((self.folder / WHOLE).read_text(encoding="utf-8"))["seconds"])

    def is_whole(self) -> bool:
        """Tell whether every file is there, at its full length."""
        try:
            sizes = json.loads((self.folder / WHOLE).read_text(encoding="utf-8"))["bytes"]
            return bool(sizes) and all((self.folder / name).stat().st_size == size for name, size in sizes.items())
        except (OSError, ValueError, KeyError):
            return False


@dataclass(frozen=True)
class Workspace:
    """Where a run is made, until it is finished and moved into its place."""

    folder: Path

    @classmethod
    def of_run(cls, run: Path) -> "Workspace":
        """Return the workspace of a run's folder."""
        return cls(run.absolute().with_name(f".{run.name}-training"))

    @property
    def ludwig(self) -> Path:
        """The folder that Ludwig writes to, and that becomes the run."""
        return self.folder / "ludwig"

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep other trainings out. Raises BusyError if one is at work here."""
        descriptor = self._locked()
        try:
            yield
        finally:
            os.close(descriptor)

    def _locked(self) -> int:
        """Return the descriptor of the locked folder.

        A training that just ended may remove the folder between opening and locking it: then it is made again.
        """
        while True:
            self.folder.mkdir(parents=True, exist_ok=True)
            with suppress(FileNotFoundError):
                descriptor = os.open(self.folder, os.O_RDONLY)
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    if _is_same(descriptor, self.folder):
                        return descriptor
                except BlockingIOError:
                    os.close(descriptor)
                    raise BusyError(
                        f"Another training writes to {self.folder}: wait for it, or give another --output."
                    ) from None
                os.close(descriptor)

    def checkpoint(self) -> Checkpoint | None:
        """Return the latest checkpoint that is whole."""
        found = [Checkpoint(path) for path in self.folder.glob(f"{CHECKPOINT}*") if path.name[-1].isdecimal()]
        return max((each for each in found if each.is_whole()), key=lambda each: each.steps, default=None)

    def begin(self, started: Mapping[str, Any], *, overwrite: bool) -> Checkpoint | None:
        """Make the folder ready for Ludwig. Returns the checkpoint that it goes on from, or None at the very beginning.

        started: what is to be trained. overwrite: throw away an interrupted training of something else, which is a
        TrainingError otherwise.
        """
        checkpoint = self.checkpoint()
        if checkpoint and (differences := self._differences(started)):
            if not overwrite:
                raise TrainingError(
                    f"{self.folder} holds a training that was interrupted after epoch {checkpoint.epoch}, of something "
                    f"else: {'; '.join(differences)}. Give what it had to go on with it, another --output, or "
                    "--force to throw it away."
                )
            say(f"Throwing away an interrupted training of something else: {'; '.join(differences)}.")
            checkpoint = None
        if checkpoint is None:
            self.clear()
        shutil.rmtree(self.ludwig, ignore_errors=True)
        (self.ludwig / MODEL).mkdir(parents=True)
        _write_json(self.folder / STARTED, started)
        if checkpoint:
            _link_tree(checkpoint.folder / CHECKPOINTS, self.ludwig / MODEL / CHECKPOINTS)
            shutil.copy2(checkpoint.folder / PROGRESS, self.ludwig / MODEL / PROGRESS)
        return checkpoint

    def keep(self, steps: int, schedule: Any, seconds: float) -> None:
        """Keep what Ludwig just saved as a checkpoint, in one step, and drop the one before.

        schedule: what `torch.save` shall write beside it.
        """
        import torch

        kept = self.folder / f"{CHECKPOINT}{steps}"
        if kept.exists():
            return
        new = self.folder / "checkpoint-new"
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir()
        _link_tree(self.ludwig / MODEL / CHECKPOINTS, new / CHECKPOINTS)
        shutil.copy2(self.ludwig / MODEL / PROGRESS, new / PROGRESS)
        torch.save(schedule, new / SCHEDULE)
        sizes = {str(path.relative_to(new)): path.stat().st_size for path in new.rglob("*") if path.is_file()}
        _write_json(new / WHOLE, {"seconds": round(seconds, 1), "bytes": sizes})
        new.rename(kept)
        for old in self.folder.glob(f"{CHECKPOINT}*"):
            if old != kept:
                shutil.rmtree(old, ignore_errors=True)

    def clear(self) -> None:
        """Remove everything in the folder."""
        for path in self.folder.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    def remove(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _differences(self, started: Mapping[str, Any]) -> list[str]:
        """Return what an interrupted training had, and what is asked for, where they are not the same."""
        try:
            had = json.loads((self.folder / STARTED).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return [f"its {STARTED} cannot be read"]
        before, now = dict(_leaves(had)), dict(_leaves(json.loads(json.dumps(started))))
        found = [name for name in {**before, **now} if before.get(name) != now.get(name)]
        told = [f"{name} was {_shown(before.get(name))}, is {_shown(now.get(name))}" for name in found[:SHOWN]]
        return told + (["..."] if len(found) > SHOWN else [])


def _is_same(descriptor: int, folder: Path) -> bool:
    """Tell whether a descriptor still belongs to the folder of this name."""
    try:
        return os.path.samestat(os.fstat(descriptor), folder.stat())
    except FileNotFoundError:
        return False


def _shown(value: object) -> str:
    text = "nothing" if value is None else str(value)
    return text if len(text) <= 40 else f"{text[:12]}..."


def _leaves(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every value in nested mappings and lists, under the path to it."""
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else None
    if children is None:
        yield name, value
        return
    for key, child in children:
        yield from _leaves(child, f"{name}.{key}" if name else str(key))


def _link_tree(source: Path, target: Path) -> None:
    """Copy a folder by linking its files: Ludwig replaces checkpoints, and never writes into one."""
    shutil.copytree(source, target, copy_function=_link)


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # a file system without links
        shutil.copy2(source, target)


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
