"""The tables in docs/scale.md are what the command prints."""

from pathlib import Path

import pytest

from benchmarks.costs import DEPLOY, SCALE, SECTIONS, shown
from ludwig_serverless.cli import main

PAGES: dict[str, Path] = {name: DEPLOY if name == "costs" else SCALE for name in SECTIONS}
LATER = "run `python -m benchmarks.costs`"


@pytest.mark.parametrize(
    ("section", "command"), [(name, command) for name, commands in SECTIONS.items() for command in commands]
)
def test_the_page_shows_what_the_command_prints(section: str, command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cost", *command.split()]) == 0
    expected = "\n".join(shown(section, capsys.readouterr().out))
    content = PAGES[section].read_text(encoding="utf-8")
    _, _, rest = content.partition(f"<!-- begin {section} -->")
    block = rest.partition(f"<!-- end {section} -->")[0]
    assert f"`ludwig-serverless cost {command}`:\n\n{expected}\n" in block, LATER
