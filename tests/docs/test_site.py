"""The documentation builds without warnings and matches the code."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from handler.settings import Settings
from scripts import picture, reference
from tests.integration.test_readme import commands

ROOT = Path(__file__).resolve().parents[2]


def git_files(*patterns: str) -> list[str]:
    listed = subprocess.run(["git", "ls-files", *patterns], cwd=ROOT, check=True, capture_output=True, text=True)
    return listed.stdout.split()


@pytest.mark.integration
def test_the_site_builds_strictly(tmp_path: Path) -> None:
    """Broken links, pages missing from the navigation and unreadable docstrings are errors."""
    made = subprocess.run(
        [sys.executable, "scripts/environment.py", "docs"], cwd=ROOT, check=True, capture_output=True, text=True
    )
    mkdocs = Path(made.stdout.strip()).with_name("mkdocs")
    built = subprocess.run(
        [mkdocs, "build", "--strict", "--site-dir", tmp_path / "site"], cwd=ROOT, capture_output=True, text=True
    )
    assert built.returncode == 0, built.stderr
    pages = list((tmp_path / "site").rglob("*.html"))
    assert len(pages) > 10
    for page in pages:  # the site must work offline and must not tell other hosts who reads it
        loaded = re.findall(r'<(?:script|link|img)[^>]+(?:src|href)="(https?://[^"]+)"', page.read_text("utf-8"))
        assert not [url for url in loaded if "stylesheet" in url or url.endswith((".js", ".css"))], page


def test_the_start_page_has_only_commands_that_the_readme_runs() -> None:
    assert set(commands("docs/index.md")) <= set(commands("README.md"))


def test_pages_made_from_the_code_are_up_to_date() -> None:
    """`make reference` writes them; commit the result."""
    assert reference.COMMANDS_PAGE.read_text(encoding="utf-8") == reference.commands_page()
    assert reference.ARCHITECTURE.read_text(encoding="utf-8") == reference.architecture()
    assert reference.OPENAPI.read_text(encoding="utf-8") == reference.openapi()


def test_the_picture_shows_what_the_shipped_bundles_answer() -> None:
    assert picture.PICTURE.read_text(encoding="utf-8") == picture.render()


def test_every_setting_is_documented() -> None:
    page = (ROOT / "docs" / "reference" / "settings.md").read_text(encoding="utf-8")
    expected = {f"NLU_{name.upper()}" for name in Settings.__struct_fields__ if name != "version"}
    assert set(re.findall(r"^\| `(NLU_\w+)`", page, re.MULTILINE)) == expected


def test_architecture_has_a_table_for_every_folder() -> None:
    """Each table is generated from its folder, so it lists every file."""
    page = reference.ARCHITECTURE.read_text(encoding="utf-8")
    assert sorted(found[1] for found in reference.TABLE.findall(page)) == sorted(reference.FOLDERS)
    sources = ("handler", "export", "training", "ludwig_serverless", "deploy", "scripts", "benchmarks")
    folders = {str(Path(name).parent) for name in git_files(*(f"{source}/*.py" for source in sources))}
    assert folders == set(reference.FOLDERS)


def test_every_file_has_a_purpose() -> None:
    for folder in reference.FOLDERS:
        for line in reference.files_table(folder).splitlines()[2:]:
            assert re.fullmatch(r"\| `\w+\.py` \| \S.{10,240} \|", line), f"{folder}: {line}"
