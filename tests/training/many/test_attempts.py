"""Attempts: machines that do not see the folder, and processes that end without a word."""

import os
import signal
import socket
from pathlib import Path

import pytest

from training.errors import TrainingError
from training.many.attempts import AttemptError, start_attempt
from training.many.record import Record, read_record, write_record


def test_a_machine_that_does_not_see_the_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        TrainingError, match=f"{socket.gethostname()} does not see {tmp_path}/bot: put the manifest"
    ) as e:
        start_attempt(tmp_path / "bot", 1)
    assert not isinstance(e.value, AttemptError)  # another attempt would not see it either


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (signal.SIGKILL, "its process was killed (SIGKILL), perhaps because memory ran out: try fewer --workers"),
        (signal.SIGSEGV, "its process was killed by SIGSEGV"),
    ],
)
def test_a_process_that_is_killed_may_be_tried_again(tmp_path: Path, number: signal.Signals, reason: str) -> None:
    write_record(tmp_path, Record("bot", "", ["train"], []))
    attempt = start_attempt(tmp_path, 1)
    os.kill(attempt.process.pid, number)
    with pytest.raises(AttemptError) as caught:
        attempt.result()
    assert str(caught.value) == reason
    found = read_record(tmp_path)
    assert found is not None
    assert (found.state, found.attempts, found.reason, found.is_final) == ("failed", 1, reason, False)
