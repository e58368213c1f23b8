"""The folder of an unfinished training: `.NAME-training`, next to the future run.

    started.json         what is being trained: the configuration, a digest of the rows, the seed
    checkpoint-STEPS/    a complete checkpoint after this many steps:
        training_checkpoints/    Ludwig's best and latest weights, with the optimizer state
        training_progress.json   Ludwig's epoch, steps and metrics
        schedule.pt              the learning rate and its schedule, which Ludwig does not save
        whole.json               training time so far in seconds, and the size of each of these files
    ludwig/              Ludwig's output folder; recreated from the checkpoint when a training resumes

The folder can be copied to another machine and resumed there, even if it is copied during training: `started.json` and
the checkpoints are sufficient. An incomplete copy of a checkpoint is skipped in favor of the previous one.
"""

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
from training.locks import lock

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
    """The state of a training at the end of an epoch.

    Attributes:
        folder: The checkpoint's folder.
    """

    folder: Path

    @property
    def steps(self) -> int:
        """Number of batches trained."""
        return int(self.folder.name.removeprefix(CHECKPOINT))

    @property
    def epoch(self) -> int:
        """Number of finished epochs."""
        return int(json.loads((self.folder / PROGRESS).read_text(encoding="utf-8"))["epoch"])

    @property
    def seconds(self) -> float:
        """Training time up to this checkpoint, in seconds."""
        return float(json.loads((self.folder / WHOLE).read_text(encoding="utf-8"))["seconds"])

    def is_complete(self) -> bool:
        """Return whether every file exists with its recorded size."""
        try:
            sizes = json.loads((self.folder / WHOLE).read_text(encoding="utf-8"))["bytes"]
            return bool(sizes) and all((self.folder / name).stat().st_size == size for name, size in sizes.items())
        except (OSError, ValueError, KeyError):
            return False


@dataclass(frozen=True)
class Workspace:
    """The folder where a run is built until it is finished and moved to its final folder."""

    folder: Path

    @classmethod
    def of_run(cls, run: Path) -> "Workspace":
        """Return the workspace of a run's folder."""
        return cls(run.absolute().with_name(f".{run.name}-training"))

    @property
    def ludwig(self) -> Path:
        """Ludwig's output folder, which becomes the run."""
        return self.folder / "ludwig"

    @contextmanager
    def held(self) -> Iterator[None]:
        """Lock the workspace inside the context.

        Raises:
            BusyError: Another training has locked it.
        """
        descriptor = self._locked()
        try:
            yield
        finally:
            os.close(descriptor)

    def _locked(self) -> int:
        """Return the file descriptor of the locked folder.

        A training that just finished may remove the folder between open and lock; the loop then recreates it.
        """
        while True:
            self.folder.mkdir(parents=True, exist_ok=True)
            with suppress(FileNotFoundError):
                descriptor = os.open(self.folder, os.O_RDONLY)
                try:
                    lock(descriptor)
                    if _is_same(descriptor, self.folder):
                        return descriptor
                except BlockingIOError:
                    os.close(descriptor)
                    raise BusyError(
                        f"Another training is using {self.folder}: wait for it, or choose another --output."
                    ) from None
                os.close(descriptor)

    def checkpoint(self) -> Checkpoint | None:
        """Return the latest complete checkpoint, or None."""
        found = [Checkpoint(path) for path in self.folder.glob(f"{CHECKPOINT}*") if path.name[-1].isdecimal()]
        return max((each for each in found if each.is_complete()), key=lambda each: each.steps, default=None)

    def begin(self, started: Mapping[str, Any], *, overwrite: bool) -> Checkpoint | None:
        """Prepare the folder for Ludwig.

        Args:
            started: What is trained, as `started.json` stores it.
            overwrite: Whether to discard an interrupted training with other settings.

        Returns:
            The checkpoint to resume from, or None to train from the beginning.

        Raises:
            TrainingError: The folder has an interrupted training with other settings, and `overwrite` is False.
        """
        checkpoint = self.checkpoint()
        if checkpoint and (differences := self._differences(started)):
            if not overwrite:
                raise TrainingError(
                    f"{self.folder} has a training that was interrupted after epoch {checkpoint.epoch}, with other "
                    f"settings: {'; '.join(differences)}. Use its settings to resume it, choose another --output, or "
                    "discard it with --force."
                )
            say(f"Discarding an interrupted training with other settings: {'; '.join(differences)}.")
            checkpoint = None
        if checkpoint is None:
            self.clear()
        shutil.rmtree(self.ludwig, ignore_errors=True)
        (self.ludwig / MODEL).mkdir(parents=True)
        write_json(self.folder / STARTED, started)
        if checkpoint:
            _link_tree(checkpoint.folder / CHECKPOINTS, self.ludwig / MODEL / CHECKPOINTS)
            shutil.copy2(checkpoint.folder / PROGRESS, self.ludwig / MODEL / PROGRESS)
        return checkpoint

    def keep(self, steps: int, schedule: Any, seconds: float) -> None:
        """Store Ludwig's latest state as a checkpoint, atomically, and remove the previous one.

        Args:
            steps: Number of batches trained.
            schedule: State of the learning rate schedule, saved with `torch.save`.
            seconds: Training time so far.
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
        write_json(new / WHOLE, {"seconds": round(seconds, 1), "bytes": sizes})
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
        """Return descriptions of the settings in which an interrupted training differs from the requested one."""
        try:
            had = json.loads((self.folder / STARTED).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return [f"cannot read its {STARTED}"]
        before, now = dict(_leaves(had)), dict(_leaves(json.loads(json.dumps(started))))
        found = [name for name in {**before, **now} if before.get(name) != now.get(name)]
        differences = [f"{name} was {_shown(before.get(name))}, is {_shown(now.get(name))}" for name in found[:SHOWN]]
        return differences + (["..."] if len(found) > SHOWN else [])


def _is_same(descriptor: int, folder: Path) -> bool:
    """Return whether a file descriptor still refers to the folder at this path."""
    try:
        return os.path.samestat(os.fstat(descriptor), folder.stat())
    except FileNotFoundError:
        return False


def _shown(value: object) -> str:
    text = "nothing" if value is None else str(value)
    return text if len(text) <= 40 else f"{text[:12]}..."


def _leaves(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every value in nested mappings and lists, with its path."""
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else None
    if children is None:
        yield name, value
        return
    for key, child in children:
        yield from _leaves(child, f"{name}.{key}" if name else str(key))


def _link_tree(source: Path, target: Path) -> None:
    """Copy a folder with hard links. This is safe because Ludwig replaces checkpoint files and never modifies them."""
    shutil.copytree(source, target, copy_function=_link)


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # the file system does not support hard links
        shutil.copy2(source, target)


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a mapping as indented JSON."""
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
