"""Progress: lines in a log, a bar on a real terminal, and a restored terminal at the end."""

import os
import pty
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from export.console import bar, end_bar, progress, say

ROOT = Path(__file__).parents[2]
SHOW_CURSOR, HIDE_CURSOR = "\x1b[?25h", "\x1b[?25l"


def on_terminal(code: str, *, interrupt_after: str = "") -> tuple[int, str, str]:
    """Run Python with a terminal as stderr, and send Ctrl-C after the terminal has received `interrupt_after`.

    Returns:
        The exit status, the stdout and what the terminal received.
    """
    terminal, stderr = pty.openpty()
    environ = {**os.environ, "TERM": "xterm", "COLUMNS": "100", "NO_COLOR": "1"}
    process = subprocess.Popen(
        [sys.executable, "-c", f"import time\nfrom export.console import *\n{code}"],
        cwd=ROOT, env=environ, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=stderr, text=True,
    )  # fmt: skip
    os.close(stderr)
    shown = ""
    while True:
        try:
            received = os.read(terminal, 4096).decode()
        except OSError:  # Linux raises this when the other side is closed
            break
        shown += received
        if interrupt_after and interrupt_after in shown:
            process.send_signal(signal.SIGINT)
            interrupt_after = ""
    os.close(terminal)
    out, _ = process.communicate(timeout=60)
    return process.returncode, out, shown


def test_a_log_gets_one_line_at_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    for done in range(4):
        progress("compared, rows", done, 3)
    assert capsys.readouterr() == ("", "compared, rows 3/3\n")


def test_a_log_gets_no_progress_bar(capsys: pytest.CaptureFixture[str]) -> None:
    for epoch in (1, 2):
        say(f"epoch {epoch}")
        bar("epochs", epoch, 2)
    end_bar()
    assert capsys.readouterr() == ("", "epoch 1\nepoch 2\n")


def test_a_terminal_gets_a_bar_with_the_lines_above_it() -> None:
    status, out, shown = on_terminal(
        "for n in range(1, 4): progress('rows', n, 3); say(f'line {n} [bold]')\nprint('result')"
    )
    assert (status, out) == (0, "result\n")
    assert "━" in shown
    assert "3/3" in shown
    for line in (1, 2, 3):
        assert f"line {line} [bold]\r\n" in shown
    assert shown.rindex(SHOW_CURSOR) > shown.rindex(HIDE_CURSOR)


def test_an_interrupted_loop_leaves_its_bar_on_the_terminal() -> None:
    status, _, shown = on_terminal("bar('epochs', 2, 5)\nend_bar()\nprogress('rows', 1, 1)")
    assert status == 0
    assert [found for found in re.findall(r"\d/\d", shown) if found in ("2/5", "1/1")][-1] == "1/1"
    assert "2/5" in shown
    assert shown.rindex(SHOW_CURSOR) > shown.rindex(HIDE_CURSOR)


def test_ctrl_c_restores_the_cursor() -> None:
    status, _, shown = on_terminal("progress('rows', 1, 3)\ntime.sleep(60)", interrupt_after="1/3")
    assert status == -signal.SIGINT
    assert shown.rindex(SHOW_CURSOR) > shown.rindex(HIDE_CURSOR)


def test_a_plain_terminal_gets_no_control_codes() -> None:
    status, _, shown = on_terminal("import os; os.environ['TERM'] = 'dumb'\nfor n in (1, 2): progress('rows', n, 2)")
    assert status == 0
    assert "\x1b" not in shown
