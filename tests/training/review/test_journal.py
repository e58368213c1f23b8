"""The journal keeps every decision, whatever happens to the process."""

import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from training.errors import BusyError, ReviewError
from training.review.journal import Decision, Journal, Mark

DECIDING_UNTIL_KILLED = """
import sys
from pathlib import Path
from training.review.journal import Decision, Journal
journal = Journal(Path(sys.argv[1]))
for number in range(10**9):
    journal.add([Decision(f"m{number}", "label", "text " * 50, "greeting")])
    print(number, flush=True)
"""


def kinds(path: Path) -> dict[str, str]:
    """Return what a new process reads."""
    with Journal(path) as journal:
        return {name: decision.kind for name, decision in journal.decisions.items()}


def test_decisions_and_undo_survive_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "new" / "reviewed.csv.journal"
    label = Decision("a", "label", "fly to القاهرة", "fly", "ar", [Mark(7, 14, "city")])
    with Journal(path) as journal:
        assert journal.undo() == []
        journal.add([label, Decision("b", "label", "hi", "greet")])
        journal.add([Decision("c", "skip", "hm")])
        assert [decision.id for decision in journal.undo()] == ["c"]
        journal.add([Decision("b", "skip")])
    assert kinds(path) == {"a": "label", "b": "skip"}
    with Journal(path) as journal:
        found = journal.decisions["a"]
        assert (found.text, found.marks, bool(found.at)) == (label.text, label.marks, True)
        assert [decision.id for decision in journal.undo()] == ["b"]
        assert journal.decisions["b"].intent == "greet"
        assert [decision.id for decision in journal.undo()] == ["a", "b"]
        assert journal.decisions == {}
    assert kinds(path) == {}


def test_a_deleted_message_leaves_no_text_behind(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    with Journal(path) as journal:
        journal.add([Decision("a", "label", "my name is Ada", "greet"), Decision("b", "skip", "later")])
        journal.add([Decision("a", "delete")])
    assert kinds(path) == {"b": "skip", "a": "delete"}
    assert "Ada" not in path.read_text()


def test_opened_items_are_undecided(tmp_path: Path) -> None:
    with Journal(tmp_path / "journal") as journal:
        journal.add([Decision("a", "skip", "hm")])
        journal.add([Decision("a", "open")])
        assert journal.decisions == {}


def test_every_decision_that_was_confirmed_survives_a_kill(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    command = [sys.executable, "-c", DECIDING_UNTIL_KILLED, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for _ in range(40):
            assert process.stdout.readline()
        process.send_signal(signal.SIGKILL)
        confirmed = 40 + process.stdout.read().count("\n")
    with path.open("ab") as file:
        file.write(b'{"decisions":[{"id":"half')  # what a crash of the machine leaves
    with Journal(path) as journal:
        assert len(journal.decisions) >= confirmed
        journal.add([Decision("after", "label", "x", "y")])
    assert "after" in kinds(path)


def test_a_full_disk_is_reported_and_breaks_no_line(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    with Journal(path) as journal:
        journal.add([Decision("a", "label", "x", "y")])
        handler, limits = signal.signal(signal.SIGXFSZ, signal.SIG_IGN), resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 10, limits[1]))
        try:
            with pytest.raises(ReviewError, match="cannot be written"):
                journal.add([Decision("b", "label", "x", "y")])
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
            signal.signal(signal.SIGXFSZ, handler)
        journal.add([Decision("c", "label", "x", "y")])
        assert list(journal.decisions) == ["a", "c"]
    assert list(kinds(path)) == ["a", "c"]


def test_one_process_at_a_time_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    with Journal(path):
        with pytest.raises(BusyError, match="stop it, or choose another --output"):
            Journal(path)
        assert path.stat().st_mode & 0o777 == 0o600
    assert kinds(path) == {}


def test_another_file_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    path.write_text("notes\nof mine\n")
    with pytest.raises(ReviewError, match="is not the journal of a review"):
        Journal(path)
    assert path.read_text() == "notes\nof mine\n"
