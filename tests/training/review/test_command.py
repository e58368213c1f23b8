"""The command `review` as its user runs it: a process that prints an address, answers its page alone, and resumes."""

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest

from export.rows import read_rows
from tests.training.review.samples import captured
from tests.training.review.test_rows import DATASET
from training.__main__ import main

WAIT_SECONDS = 60


class Review(NamedTuple):
    """A running review.

    Attributes:
        address: The page's address.
        process: The process.
    """

    address: str
    process: subprocess.Popen[str]

    def ask(self, path: str, body: Any = None, **headers: str) -> tuple[int, dict[str, str], bytes]:
        """Send a request. A path from the root goes without the token. A body that is not bytes is sent as JSON."""
        parts = urlsplit(self.address)
        connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=WAIT_SECONDS)
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        content = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        if content is not None:
            given = {"content-type": "application/json", **given}
        target = path if path.startswith("/") else parts.path + path
        connection.request("GET" if content is None else "POST", target, content, given)
        response = connection.getresponse()
        found = (response.status, {name.lower(): value for name, value in response.getheaders()}, response.read())
        connection.close()
        return found

    def stop(self) -> str:
        """Press Ctrl-C. Returns what the process printed on stderr since."""
        self.process.send_signal(signal.SIGINT)
        _, err = self.process.communicate(timeout=WAIT_SECONDS)
        return err


@contextmanager
def reviewing(folder: Path, *arguments: str, browser: str = "") -> Iterator[Review]:
    """Run `review` in a folder until the block ends. browser: a command to open the page with; "" opens none."""
    command = [sys.executable, "-m", "training", "review", *arguments, *([] if browser else ["--no-browser"])]
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3]), "BROWSER": browser}
    with subprocess.Popen(
        command, cwd=folder, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        try:
            for line in process.stderr:
                if found := re.search(r"http://127\.0\.0\.1:\d+/\S+", line):
                    yield Review(found[0], process)
                    break
            else:
                pytest.fail("the review ended")
        finally:
            process.kill()


def test_ctrl_c_ends_it_cleanly_and_the_same_command_resumes(tmp_path: Path) -> None:
    captured(tmp_path / "captures")
    arguments = ("captures", "--output", "reviewed.csv")
    with reviewing(tmp_path, *arguments) as review:
        submissions = [{"id": "m0", "kind": "label", "intent": "fly", "language": "en", "marks": None}]
        status, _, body = review.ask("decide", {"tab": "messages", "submissions": submissions})
        assert (status, json.loads(body)["progress"]) == (200, {"total": 6, "labeled": 1, "skipped": 0, "deleted": 0})
        err = review.stop()
        assert review.process.returncode == 0
        assert "Saved in reviewed.csv. Run the same command to resume." in err
        assert "Traceback" not in err
        assert "flight" not in err
    with reviewing(tmp_path, *arguments) as review:
        found = json.loads(review.ask("state")[2])["messages"]
        assert "m0" not in {item["id"] for group in found["groups"] for item in group}
        assert review.ask("undo", {"tab": "messages"})[0] == 200
    assert read_table_size(tmp_path / "reviewed.csv") == 0


def test_it_opens_the_browser(tmp_path: Path) -> None:
    captured(tmp_path / "captures")
    browser = tmp_path / "browser"
    browser.write_text(
        f'#!/bin/sh\necho "$1" > {tmp_path}/opened.part && mv {tmp_path}/opened.part {tmp_path}/opened\n'
    )
    browser.chmod(0o755)
    with reviewing(tmp_path, "captures", browser=f"{browser} %s") as review:
        deadline = time.monotonic() + WAIT_SECONDS
        while not (tmp_path / "opened").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        assert (tmp_path / "opened").read_text().strip() == review.address


def read_table_size(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines()) - 1


def test_only_its_own_page_reaches_it(tmp_path: Path) -> None:
    captured(tmp_path / "captures")
    with reviewing(tmp_path, "captures") as review:
        status, headers, body = review.ask("")
        assert (status, headers["referrer-policy"], headers["x-content-type-options"]) == (
            200,
            "no-referrer",
            "nosniff",
        )
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert b"flight" not in body
        here = urlsplit(review.address).netloc
        undo = {"tab": "messages"}
        refused = [
            review.ask("/state"),
            review.ask("/"),
            review.ask("/" + "x" * 24 + "/state"),
            review.ask("state", host="rebound.example"),
            review.ask("state", host=f"rebound.example:{urlsplit(review.address).port}"),
            review.ask("undo", undo, origin="http://evil.example"),
            review.ask("undo", undo, origin="null"),
            review.ask("undo", undo, origin=f"https://{here}"),
            review.ask("undo", undo, content_type="text/plain"),
            review.ask("undo", b"{", origin=f"http://{here}"),
            review.ask("undo", {"tab": "rows"}),
            review.ask("elsewhere", undo),
            review.ask("decide", {"tab": "messages", "submissions": [{"id": "x", "kind": "label", "intent": "x"}]}),
        ]
        statuses = [status for status, _, _ in refused]
        assert statuses == [404, 404, 404, 403, 403, 403, 403, 403, 415, 400, 404, 404, 409]
        assert not any(b"flight" in body for _, _, body in refused)
        assert review.ask("undo", undo, origin=f"http://{here}")[0] == 200


def test_messages_and_rows_are_two_tabs(tmp_path: Path) -> None:
    captured(tmp_path / "captures")
    (tmp_path / "data.csv").write_text(DATASET, encoding="utf-8")
    with reviewing(tmp_path, "captures", "--dataset", "data.csv") as review:
        state = json.loads(review.ask("state")[2])
        assert list(state) == ["messages", "rows"]
        assert {"fly", "hotel", "greet"} < set(state["messages"]["intents"])
        (pair,) = state["rows"]["groups"]
        submission = {"id": pair[0]["id"], "kind": "delete"}
        assert review.ask("decide", {"tab": "rows", "submissions": [submission]})[0] == 200
    assert len(read_rows(tmp_path / "data-corrected.csv")) == 4
    assert (tmp_path / "data.csv").read_text(encoding="utf-8") == DATASET


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ([], "There is nothing to review: give a folder"),
        (["--run", "runs/intent"], "add --dataset FILE"),
        (["captures", "--output", "reviewed.txt"], "ends in one of .csv, .jsonl, .parquet"),
        (["captures", "--output", "data.csv"], "data.csv exists, and no review wrote it"),
        (["captures", "--hexabot", "samples.json"], "ends in .csv"),
        (["captures", "--newest", "0"], "expected at least 1"),
        (["--dataset", "data.csv", "--corrected", "data.csv"], "another file of this review"),
        (["gone"], "gone does not exist"),
    ],
)
def test_wrong_arguments_say_what_to_give(
    arguments: list[str],
    problem: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    captured(tmp_path / "captures")
    (tmp_path / "data.csv").write_text(DATASET, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.iterdir())
    assert main(["review", *arguments, "--no-browser"]) == 1
    out, err = capsys.readouterr()
    assert problem in err
    assert (out, err.count("\n")) == ("", 1)
    assert sorted(tmp_path.iterdir()) == before
