"""Captured messages are written in batches: bounded in memory, late after failures, and never twice."""

import pytest

from handler.capture_batches import MOST_BYTES, RECORDS, Batches
from handler.errors import CaptureError

DAY = "2026-11-27"


class Store:
    """A store in memory that fails as often as it is told to, before or after it wrote."""

    seconds = 10.0

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.fails_before = self.fails_after = 0
        self.puts = 0

    def put(self, name: str, content: bytes) -> None:
        self.puts += 1
        if self.fails_before:
            self.fails_before -= 1
            raise CaptureError("S3 answered 503 SlowDown")
        assert self.files.setdefault(name, content) == content
        if self.fails_after:
            self.fails_after -= 1
            raise CaptureError("S3 cannot be reached (TimeoutError)")

    def lines(self) -> list[str]:
        return [line for content in self.files.values() for line in content.decode().splitlines()]


class Clock:
    """A clock that the test moves."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def batches(store: Store, clock: Clock) -> Batches:
    return Batches(store, clock)


def add(batches: Batches, *texts: str) -> None:
    for text in texts:
        batches.add(DAY, f"{text}\n".encode())
        batches.write_due()


def test_the_first_message_is_written_at_once_and_later_ones_together(
    batches: Batches, store: Store, clock: Clock
) -> None:
    add(batches, "a", "b", "c")
    assert store.lines() == ["a"]
    clock.now += 10
    assert batches.are_due()
    batches.write_due()
    assert sorted(content for content in store.files.values()) == [b"a\n", b"b\nc\n"]
    assert not batches.are_due()


def test_names_are_unique_to_the_instance_and_sort_by_day(store: Store, clock: Clock) -> None:
    for day in ("2026-11-27", "2026-11-28"):
        one, other = Batches(store, clock), Batches(store, clock)
        for batches in (one, other):
            batches.add(day, b"x\n")
            batches.write_all()
            batches.add(day, b"y\n")
            batches.write_all()
    assert len(store.files) == 8
    assert {name[:11] for name in store.files} == {"2026/11/27/", "2026/11/28/"}
    assert all(name.endswith(("-000001.jsonl", "-000002.jsonl")) for name in store.files)


def test_many_messages_are_written_without_waiting(batches: Batches, store: Store) -> None:
    add(batches, *map(str, range(RECORDS + 1)))
    assert [len(content.splitlines()) for content in store.files.values()] == [1, RECORDS]


@pytest.mark.parametrize("fails", ["fails_before", "fails_after"])
def test_a_retry_writes_the_same_file_again(batches: Batches, store: Store, clock: Clock, fails: str) -> None:
    setattr(store, fails, 2)
    add(batches, "a", "b")
    clock.now += 2
    add(batches, "c")
    assert store.puts == 2
    clock.now += 4
    add(batches, "d")
    assert sorted(store.lines()) == ["a", "b", "c", "d"]
    assert sorted(store.files.values()) == [b"a\n", b"b\nc\nd\n"]


def test_pauses_grow_and_the_log_has_one_line(
    batches: Batches, store: Store, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    store.fails_before = 20
    moments, start = [], clock.now
    batches.add(DAY, b"zebra\n")
    while clock.now < start + 2000:
        before = store.puts
        batches.write_due()
        moments += [clock.now - start] * (store.puts - before)
        clock.now += 1
    assert moments[:6] == [0, 2, 6, 14, 30, 62]
    assert moments[-1] - moments[-2] == 300
    records = [record.__dict__["fields"] for record in caplog.records if record.message == "capture failed"]
    assert records == [{"reason": "S3 answered 503 SlowDown", "waiting": 0}]
    assert "zebra" not in caplog.text


def test_memory_is_bounded_with_one_line_in_the_log(
    batches: Batches, store: Store, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    store.fails_before = 1
    line = b"x" * 99_999 + b"\n"
    for _ in range(100):
        batches.add(DAY, line)
        batches.write_due()
    clock.now += 10
    batches.write_due()
    assert sum(map(len, store.files.values())) == MOST_BYTES
    assert [record.message for record in caplog.records].count("captured messages dropped") == 1
    batches.add(DAY, line)
    batches.write_all()
    assert sum(map(len, store.files.values())) == MOST_BYTES + len(line)
