"""Run one attempt of an entry in a process of its own, on any machine that sees the entry's folder."""

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import msgspec

from training.errors import TrainingError
from training.many.record import LOG, Record, read_record, write_record

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class AttemptError(TrainingError):
    """Raised when an attempt failed and another one may succeed."""


class RunningAttempt(NamedTuple):
    """An attempt that runs.

    Attributes:
        folder: The entry's folder.
        process: Its process. It ends when its standard input does, and therefore with the process that started it.
        started: When it was started, in seconds of the monotonic clock.
    """

    folder: Path
    process: "subprocess.Popen[bytes]"
    started: float

    def end(self) -> None:
        """Kill the process and the processes that it started."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        if self.process.stdin:
            self.process.stdin.close()

    def result(self) -> Record:
        """Return the entry's record after the process has ended.

        Raises:
            AttemptError: The attempt failed, and another one may succeed.
        """
        status = self.process.wait()
        self.end()
        record = _record(self.folder)
        if record.state == "running":  # the process could not say why it ended
            seconds = record.seconds + time.monotonic() - self.started
            record = msgspec.structs.replace(record, state="failed", reason=_described(status), seconds=seconds)
            write_record(self.folder, record)
        if record.state == "failed" and not record.is_final:
            raise AttemptError(record.reason)
        return record


def start_attempt(folder: Path, cpus: int) -> RunningAttempt:
    """Start an attempt.

    Args:
        folder: The entry's folder, with its record.
        cpus: Number of threads that it may use.

    Returns:
        The attempt.

    Raises:
        TrainingError: This machine does not see the folder.
    """
    record = _record(folder)
    record = msgspec.structs.replace(record, state="running", attempts=record.attempts + 1, reason="", is_final=False)
    write_record(folder, record)
    environment = {
        **os.environ,
        **dict.fromkeys(THREAD_VARIABLES, str(cpus)),
        # Ray gives its workers packages that a new process would not find.
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
    }
    with (folder / LOG).open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "training.many.attempt", str(folder)],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            env=environment,
            start_new_session=True,
        )
    return RunningAttempt(folder, process, time.monotonic())


def _record(folder: Path) -> Record:
    record = read_record(folder)
    if record is None:
        raise TrainingError(
            f"{socket.gethostname()} does not see {folder}: put the manifest, its files and --output on storage that "
            "all machines see under the same path."
        )
    return record


def _described(status: int) -> str:
    if status == -signal.SIGKILL:
        return "its process was killed (SIGKILL), perhaps because memory ran out: try fewer --workers"
    if status < 0:
        return f"its process was killed by {signal.Signals(-status).name}"
    return f"its process ended with status {status}"
