"""Work that runs after the response was sent."""

import threading
from io import StringIO

import pytest

from handler.deferred import Deferred, started
from handler.logs import configure

TEXT = "a secret text"


@pytest.fixture
def log() -> StringIO:
    stream = StringIO()
    configure("INFO", stream)
    return stream


def test_tasks_run_in_order_as_they_come_and_before_the_end() -> None:
    done: list[int] = []
    deferred = started({})
    for number in range(50):
        deferred.later(lambda number=number: done.append(number))
    deferred.stop()
    assert done == list(range(50))


def test_the_end_runs_what_was_kept_for_it_after_all_other_tasks() -> None:
    done: list[str] = []
    deferred = started({})
    deferred.at_stop(lambda: done.append("last"))
    for _ in range(3):
        deferred.later(lambda: done.append("task"))
    deferred.stop()
    assert done == ["task"] * 3 + ["last"]


def test_a_task_that_fails_is_logged_without_its_message_and_stops_no_other(log: StringIO) -> None:
    done: list[str] = []

    def broken() -> None:
        raise ValueError(TEXT)

    deferred = started({})
    deferred.later(broken)
    deferred.later(lambda: done.append("after"))
    deferred.stop()
    assert done == ["after"]
    assert "deferred work failed" in log.getvalue()
    assert TEXT not in log.getvalue()


def test_too_many_tasks_are_dropped_with_one_warning(log: StringIO) -> None:
    done: list[int] = []
    deferred = Deferred(capacity=2)
    for number in range(5):
        deferred.later(lambda number=number: done.append(number))
    deferred.answered()
    deferred.run_after_invocation()
    assert done == [0, 1]
    assert deferred.dropped == 3
    assert log.getvalue().count("deferred work dropped") == 1


def test_on_lambda_the_work_waits_until_the_invocation_is_answered() -> None:
    done = threading.Event()
    deferred = Deferred()
    deferred.later(done.set)
    thread = threading.Thread(target=deferred.run_after_invocation)
    thread.start()
    assert not done.wait(0.1)
    deferred.answered()
    thread.join()
    assert done.is_set()
