"""Training callbacks: report each epoch, keep checkpoints, and stop after a signal without losing finished epochs."""

import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

from export.console import bar, end_bar, say
from training.config import Config
from training.errors import TrainingError
from training.workspace import SCHEDULE, Checkpoint, Workspace

MAIN_METRIC = {"category": "accuracy", "sequence": "token_accuracy"}


SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interruption:
    """Detects signals that ask the training to stop.

    A signal does not always raise KeyboardInterrupt: Ludwig ignores SIGINT while it writes a checkpoint, and Python
    drops exceptions raised in a destructor or a native callback. Therefore each signal also writes to a socket
    (`signal.set_wakeup_fd`), independent of its handler, and the training checks that socket after each batch.
    """

    def __init__(self) -> None:
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self._writer.setblocking(False)
        self._pending = False

    def check(self) -> None:
        """Raise KeyboardInterrupt if a signal has arrived since the training started."""
        with suppress(BlockingIOError):
            self._pending = self._pending or bool(set(SIGNALS) & set(self._reader.recv(4096)))
        if self._pending:
            raise KeyboardInterrupt

    def listen(self) -> int:
        """Start receiving a byte for each signal. Returns the file descriptor that received them before."""
        return signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)

    def close(self) -> None:
        """Close the sockets."""
        self._reader.close()
        self._writer.close()


@contextmanager
def interruptible() -> Iterator[Interruption]:
    """Make SIGTERM, which a machine sends before it shuts down, interrupt like Ctrl-C inside the context."""
    interruption = Interruption()
    if threading.current_thread() is not threading.main_thread():
        yield interruption
        interruption.close()
        return
    handlers = {number: signal.getsignal(number) for number in SIGNALS}
    listener = interruption.listen()
    _interrupt_on_signals()
    try:
        yield interruption
    finally:
        signal.set_wakeup_fd(listener)
        for number, handler in handlers.items():
            signal.signal(number, handler)
        interruption.close()


def _interrupt_on_signals() -> None:
    if threading.current_thread() is threading.main_thread():
        for number in SIGNALS:
            signal.signal(number, _interrupt)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def watch(config: Config, workspace: Workspace, checkpoint: Checkpoint | None, interruption: Interruption) -> Any:
    """Return a Ludwig callback that reports progress, keeps checkpoints, and stops the training after a signal.

    Args:
        config: The configuration being trained.
        workspace: Stores the checkpoints.
        checkpoint: The checkpoint to resume from, or None.
        interruption: Checked after each batch.
    """
    from ludwig.callbacks import Callback

    before = checkpoint.seconds if checkpoint else 0.0
    started = time.monotonic()

    class Watch(Callback):  # type: ignore[misc]
        resumed = checkpoint is None
        evaluated = False

        def on_trainer_train_setup(self, trainer: Any, save_path: str, is_coordinator: bool, **kwargs: Any) -> None:
            """Reinstall our signal handlers: Ludwig's own ends the training as if it were complete."""
            _interrupt_on_signals()

        def on_epoch_start(self, trainer: Any, progress_tracker: Any, save_path: str, **kwargs: Any) -> None:
            if not self.resumed and checkpoint is not None:
                _resume(trainer, progress_tracker, checkpoint)
            self.resumed = True

        def on_batch_end(self, *args: Any, **kwargs: Any) -> None:
            interruption.check()

        def on_eval_end(self, trainer: Any, progress_tracker: Any, save_path: str, **kwargs: Any) -> None:
            self.evaluated = True

        def on_checkpoint(self, trainer: Any, progress_tracker: Any, **kwargs: Any) -> None:
            """Keep Ludwig's checkpoint before reporting the epoch, so that every reported epoch is safe."""
            if trainer.is_coordinator():
                seconds = before + time.monotonic() - started
                workspace.keep(progress_tracker.steps, _schedule(trainer), seconds)
                if self.evaluated:
                    _tell_epoch(config, progress_tracker, seconds)
            self.evaluated = False

        def on_trainer_train_teardown(self, *args: Any, **kwargs: Any) -> None:
            """End the progress bar if Ludwig stopped early."""
            end_bar()

    return Watch()


def _tell_epoch(config: Config, progress_tracker: Any, seconds: float) -> None:
    """Print an epoch's line, and on a terminal a bar of the epochs below it."""
    epoch, epochs = progress_tracker.epoch, config.get("trainer", {}).get("epochs", "?")
    say(f"  epoch {epoch}/{epochs}, {_told(config, progress_tracker)}  ({seconds:.0f} s)")
    if isinstance(epochs, int):
        bar("epochs", epoch, epochs)


def _told(config: Config, progress_tracker: Any) -> str:
    """Return the latest losses and validation metrics as readable text."""
    parts = []
    for feature in config["output_features"]:
        name, metric = feature["name"], MAIN_METRIC.get(feature["type"], "loss")
        training = progress_tracker.train_metrics[name]
        validation = progress_tracker.validation_metrics[name]
        parts.append(f"{name}: loss {training['loss'][-1][-1]:.3f}")
        if validation.get(metric):
            parts.append(f"validation {metric} {validation[metric][-1][-1]:.3f}")
    return ", ".join(parts)


def _schedule(trainer: Any) -> dict[str, Any]:
    rates = [group["lr"] for group in trainer.optimizer.param_groups]
    return {"scheduler": trainer.scheduler.state_dict(), "rates": rates}


def _resume(trainer: Any, progress_tracker: Any, checkpoint: Checkpoint) -> None:
    """Check that Ludwig resumes at the checkpoint, and restore the learning rate schedule.

    If Ludwig cannot read a checkpoint, it silently starts from the beginning. It always restarts the schedule.
    """
    import torch

    if progress_tracker.steps != checkpoint.steps:
        raise TrainingError(
            f"Ludwig cannot read {checkpoint.folder}: delete {checkpoint.folder.parent} to train from the beginning."
        )
    schedule = torch.load(checkpoint.folder / SCHEDULE, weights_only=True)
    trainer.scheduler.load_state_dict(schedule["scheduler"])
    for group, rate in zip(trainer.optimizer.param_groups, schedule["rates"], strict=True):
        group["lr"] = rate
