"""What Ludwig calls while it trains: a line for each epoch, a checkpoint to go on from, an end that loses nothing."""

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
    """Tells whether a signal asked the training to stop.

    Signals raise KeyboardInterrupt, but not always: Ludwig ignores SIGINT while it writes a checkpoint, and Python
    drops what is raised in a destructor or a native callback. So each signal also goes to a socket
    (`signal.set_wakeup_fd`), whatever its handler does, and the training looks there after each batch.
    """

    def __init__(self) -> None:
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self._writer.setblocking(False)
        self._pending = False

    def check(self) -> None:
        """Raise KeyboardInterrupt if a signal has arrived since the training began."""
        with suppress(BlockingIOError):
            self._pending = self._pending or bool(set(SIGNALS) & set(self._reader.recv(4096)))
        if self._pending:
            raise KeyboardInterrupt

    def listen(self) -> int:
        """Receive a byte for each signal from now on. Returns the descriptor that received them before."""
        return signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)

    def close(self) -> None:
        """Close the sockets."""
        self._reader.close()
        self._writer.close()


@contextmanager
def interruptible() -> Iterator[Interruption]:
    """Let SIGTERM, which a machine sends before it goes away, interrupt as Ctrl-C does."""
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
        config: The configuration that is trained.
        workspace: Where checkpoints are kept.
        checkpoint: Where the training resumes, or None.
        interruption: What is asked after each batch.
    """
    from ludwig.callbacks import Callback

    before = checkpoint.seconds if checkpoint else 0.0
    started = time.monotonic()

    class Watch(Callback):  # type: ignore[misc]
        resumed = checkpoint is None
        evaluated = False

        def on_trainer_train_setup(self, trainer: Any, save_path: str, is_coordinator: bool, **kwargs: Any) -> None:
            """Take back Ctrl-C: Ludwig's own answer to it ends a training as if it were complete."""
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
            """Keep what Ludwig saved; only then tell of the epoch, so that what was told of is safe."""
            if trainer.is_coordinator():
                seconds = before + time.monotonic() - started
                workspace.keep(progress_tracker.steps, _schedule(trainer), seconds)
                if self.evaluated:
                    _tell_epoch(config, progress_tracker, seconds)
            self.evaluated = False

        def on_trainer_train_teardown(self, *args: Any, **kwargs: Any) -> None:
            """End the bar where Ludwig stopped early."""
            end_bar()

    return Watch()


def _tell_epoch(config: Config, progress_tracker: Any, seconds: float) -> None:
    """Print an epoch's line, and on a terminal a bar of the epochs below it."""
    epoch, epochs = progress_tracker.epoch, config.get("trainer", {}).get("epochs", "?")
    say(f"  epoch {epoch}/{epochs}, {_told(config, progress_tracker)}  ({seconds:.0f} s)")
    if isinstance(epochs, int):
        bar("epochs", epoch, epochs)


def _told(config: Config, progress_tracker: Any) -> str:
    """Return the latest losses and validation metrics, as a person reads them."""
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
    """Check that Ludwig goes on where it should, and give it back the schedule of the learning rate.

    Where Ludwig cannot read a checkpoint, it begins anew and says nothing; and it always begins a schedule anew.
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
