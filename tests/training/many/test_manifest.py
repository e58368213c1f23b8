"""Manifests of many trainings: what they may say, and that all their mistakes are in one message."""

from pathlib import Path

import pytest

from tests.processes import ROOT
from tests.trained import DEMO_DATASET
from training.errors import ManifestError
from training.many.command import EXAMPLES
from training.many.manifest import Entry, read_manifest
from training.many.options import parser_of
from training.many.record import Record, write_record

GOOD = """
defaults: {prefer: fast, budget-minutes: 5, seed: 3}
bots:
  hotel-en: {files: hotel.csv, language: en, seed: 7}
  bank: {files: [bank-en.csv, bank-fr.csv], slot: [city, date], no-split: true, output: elsewhere}
  shop: {dataset: hotel.csv, config: intent-light, calibrate: true}
  cafe: {dataset: hotel.csv, config: my.yaml, epochs: 2}
"""
FILES_OF_EXAMPLES = (
    *("hotel-en.json", "bank-en.csv", "bank-fr.csv", "shop.csv"),
    *(f"exports/{name}" for name in ("hotel-en.json", "hotel-fr.json", "bank-en.csv", "bank-fr.csv")),
)
FILES = ("hotel.csv", "bank-en.csv", "bank-fr.csv", "my.yaml")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in FILES:
        (tmp_path / name).write_text(f"content of {name}")
    return tmp_path


def read(folder: Path, text: str) -> dict[str, Entry]:
    (folder / "bots.yaml").write_text(text, encoding="utf-8")
    return {entry.name: entry for entry in read_manifest(folder / "bots.yaml", folder / "out")}


def problems(folder: Path, text: str) -> list[str]:
    with pytest.raises(ManifestError) as caught:
        read(folder, text)
    return str(caught.value).splitlines()


def test_entries_become_command_lines(folder: Path) -> None:
    entries = read(folder, GOOD)
    hotel = parser_of("train").parse_args(entries["hotel-en"].command[1:])
    assert (hotel.files, hotel.language, hotel.seed, hotel.prefer) == ([folder / "hotel.csv"], "en", 7, "fast")
    assert (hotel.output, hotel.runs) == (folder / "out/hotel-en/bundles", folder / "out/hotel-en/runs")
    bank = parser_of("train").parse_args(entries["bank"].command[1:])
    assert (bank.slot, bank.no_split, bank.seed, bank.output) == (["city", "date"], True, 3, folder / "elsewhere")
    shop = parser_of("fit").parse_args(entries["shop"].command[1:])
    assert (str(shop.config), shop.prefer, shop.calibrate) == ("intent-light", None, True)
    cafe = parser_of("fit").parse_args(entries["cafe"].command[1:])
    assert (cafe.config, cafe.epochs, cafe.output) == (folder / "my.yaml", 2, folder / "out/cafe/run")


def test_all_mistakes_are_in_one_message(folder: Path) -> None:
    text = """
    default: {}
    defaults: {budget_minutes: 5, files: x.csv}
    bots:
      a: {files: hotel.csv, budget: 5, config: intent-light}
      b: {files: [gone.csv, hotel.csv], test: gone-too.csv}
      c: {language: en}
      d: {files: hotel.csv, language: no, prefer: fastest, seed: one, slot: []}
      e: {files: hotel.csv, output: same}
      f: {dataset: hotel.csv, output: same}
      g: {dataset: hotel.csv, output: same/inside}
      no: {files: hotel.csv}
      ../x: {files: hotel.csv}
      h: {dataset: hotel.csv, epochs: 3}
      i: {dataset: hotel.csv, config: intent-lite}
      Bot: {files: hotel.csv}
      bot: {files: hotel.csv}
    """
    first, *rest = problems(folder, text)
    assert first.endswith(f"bots.yaml has {len(rest)} problems, and nothing was started:")
    assert [line.strip() for line in rest] == [
        "'default' is unknown: did you mean 'defaults'?",
        "defaults: 'budget_minutes' is unknown or only for one entry: did you mean 'budget-minutes'?",
        next(line.strip() for line in rest if "defaults: 'files' is unknown or only for one entry" in line),
        "a: 'budget' is unknown: did you mean 'budget-minutes'?",
        "a: 'config' is an option of `fit`, which reads `dataset` in place of `files`",
        f"b: {folder / 'gone.csv'} does not exist",
        f"b: {folder / 'gone-too.csv'} does not exist",
        "c: expected either `files`, to run `train`, or `dataset`, to run `fit`",
        "d: language: YAML reads it as false: put it in quotes",
        "d: prefer: expected one of balanced, fast, accurate",
        "d: seed: expected a whole number",
        "d: slot: the list is empty",
        "False: YAML reads this name as bool: put it in quotes",
        "../x: a name has up to 64 letters, digits, - and _, because it names a folder",
        "h: --epochs requires a configuration: add --config, for example --config intent-lstm.",
        f"i: {folder / 'intent-lite'} does not exist",
        f"e and f both write {folder / 'same'}: give one of them another output",
        f"e and g both write {folder / 'same/inside'}: give one of them another output",
        f"Bot and bot both write {folder / 'out/bot'}: give one of them another output",
    ]
    assert not (folder / "out").exists()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "`bots:` is missing"),
        ("bots: [a, b]", "`bots:` is missing"),
        ("bots: {a: {files: hotel.csv}, a: {files: hotel.csv}}", "has the key 'a' twice, at line 1 and at line 1"),
        ("bots: {a: {files: hotel.csv}", "is not YAML"),
        ("bots: {a: 7}", "a: expected a mapping of options"),
        ("defaults: 3\nbots: {a: {files: hotel.csv}}", "defaults: expected a mapping of options"),
        ("bots: {a: {files: hotel.csv, force: true}}", "'force' is unknown"),
        ("bots: {a: {files: hotel.csv, prefer: [fast]}}", "prefer: expected one value, found a list"),
        ("bots: {a: {files: hotel.csv, no-split: 1}}", "no-split: expected true or false"),
        ("bots: {a: {files: hotel.csv, language: }}", "language: expected text or a number, found nothing"),
        ("bots: {a: {files: hotel.csv, budget-minutes: -1}}", "budget-minutes: expected a number of minutes"),
        ("bots: {a: {dataset: hotel.csv, config: my.yaml, learn: intent}}", "--learn cannot be combined with --config"),
    ],
)
def test_a_mistake_is_reported(folder: Path, text: str, said: str) -> None:
    assert said in "\n".join(problems(folder, text))


def test_folders_of_others_are_not_overwritten(folder: Path) -> None:
    (folder / "out/a/bundles/intent").mkdir(parents=True)
    text = "bots: {a: {files: hotel.csv}}"
    assert "exists and is not from this manifest" in "\n".join(problems(folder, text))
    write_record(folder / "out/a", Record("a", "digest", [], [str(folder / "out/a/bundles")]))
    assert "a" in read(folder, text)


def test_the_digest_follows_the_data_and_the_options(folder: Path) -> None:
    first = {name: entry.digest() for name, entry in read(folder, GOOD).items()}
    assert len(set(first.values())) == len(first)
    assert {name: entry.digest() for name, entry in read(folder, GOOD).items()} == first
    changed = read(folder, GOOD.replace("epochs: 2", "epochs: 3").replace("elsewhere", "somewhere"))
    assert [name for name, entry in changed.items() if entry.digest() != first[name]] == ["cafe"]
    (folder / "bank-fr.csv").write_text("other")
    (folder / "my.yaml").write_text("other")
    assert [name for name, entry in read(folder, GOOD).items() if entry.digest() != first[name]] == ["bank", "cafe"]
    (folder / "hotel.entities.json").write_text("[]")
    changed = read(folder, GOOD)
    assert [name for name in ("hotel-en", "shop") if changed[name].digest() != first[name]] == ["shop"]


def test_the_examples_manifest_is_valid(tmp_path: Path) -> None:
    entries = read_manifest(DEMO_DATASET.with_name("bots.yaml"), tmp_path)
    assert [(entry.name, entry.command[0]) for entry in entries] == [("travel", "train"), ("travel-intent", "fit")]


def test_the_manifest_of_the_help_and_of_the_documentation_is_valid(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "many.md").read_text(encoding="utf-8")
    for text, name in ((page.partition("```yaml\n")[2].partition("```")[0], "page"), (_in_help(), "help")):
        for file in FILES_OF_EXAMPLES:
            (tmp_path / file).parent.mkdir(exist_ok=True)
            (tmp_path / file).touch()
        (tmp_path / "bots.yaml").write_text(text)
        assert len(read_manifest(tmp_path / "bots.yaml", tmp_path / name)) >= 3


def _in_help() -> str:
    text = EXAMPLES.partition("bots.yaml:\n")[2].partition("\n\n")[0]
    return "\n".join(line.removeprefix("  ") for line in text.splitlines())
