"""The demo dataset matches its grammar, and is tagged and split correctly."""

import csv
import importlib.util
import re
from collections import Counter, defaultdict
from pathlib import Path

import pytest

DEMO = Path(__file__).resolve().parents[2] / "examples" / "demo"
SPEC = importlib.util.spec_from_file_location("demo_generate", DEMO / "generate.py")
assert SPEC
assert SPEC.loader
demo = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(demo)

ROWS = list(demo.generate())


def spans(text: str, slots: str) -> list[tuple[str, str]]:
    """Return the slots of a text with their values, without attached punctuation."""
    found: list[tuple[str, str]] = []
    for token, tag in zip(text.split(" "), slots.split(" "), strict=True):
        if tag.startswith("B-"):
            found.append((tag[2:], token))
        elif tag.startswith("I-"):
            found[-1] = (tag[2:], f"{found[-1][1]} {token}")
    return [(slot, value.rstrip(".,?!:،؟")) for slot, value in found]


def test_the_committed_csv_matches_the_grammar() -> None:
    assert demo.DATASET.read_bytes() == demo.to_csv(ROWS).encode()


def test_readme_shows_the_counts() -> None:
    assert demo.to_table(ROWS) in (DEMO / "README.md").read_text("utf-8")


def test_csv_has_the_promised_columns_and_size() -> None:
    with demo.DATASET.open(encoding="utf-8", newline="") as source:
        header, *records = csv.reader(source)
    assert header == ["text", "intent", "slots", "language", "split"]
    assert 1450 <= len(records) <= 1600
    assert {record[4] for record in records} == {"0", "1", "2"}


def test_text_has_single_spaces_and_one_tag_per_token() -> None:
    for row in ROWS:
        tokens = row.text.split(" ")
        assert all(tokens), row
        assert row.text == " ".join(row.text.split()), row
        assert len(tokens) == len(row.slots.split(" ")), row


def test_tags_are_valid_bio() -> None:
    for row in ROWS:
        previous = "O"
        for tag in row.slots.split(" "):
            assert re.fullmatch(r"O|[BI]-[a-z_]+", tag), row
            assert not tag.startswith("I-") or previous in (f"B-{tag[2:]}", tag), row
            previous = tag


def test_no_placeholder_is_left_in_a_text() -> None:
    assert not [row for row in ROWS if set("{}=") & set(row.text)]


def test_no_text_occurs_twice_even_with_other_case_or_punctuation() -> None:
    counts = Counter(" ".join(re.findall(r"\w+", row.text.casefold())) for row in ROWS)
    assert not [text for text, count in counts.items() if count > 1]


def test_templates_do_not_cross_splits_or_intents() -> None:
    places = defaultdict(set)
    for row in ROWS:
        places[row.language, row.template].add((row.intent, row.split))
    assert not {template: found for template, found in places.items() if len(found) > 1}


def test_every_intent_is_in_every_split_of_every_language() -> None:
    found = {(row.intent, row.language, row.split) for row in ROWS}
    assert len(found) == len({row.intent for row in ROWS}) * 3 * 3


def test_every_intent_has_between_60_and_200_rows() -> None:
    counts = Counter(row.intent for row in ROWS)
    assert all(60 <= count <= 200 for count in counts.values()), counts


def test_splits_are_close_to_70_12_18() -> None:
    counts = Counter(row.split for row in ROWS)
    shares = [counts[split] / len(ROWS) for split in (demo.TRAIN, demo.VALIDATION, demo.TEST)]
    assert shares == pytest.approx([0.70, 0.12, 0.18], abs=0.02)


@pytest.mark.parametrize("language", demo.LANGUAGES)
def test_every_tag_of_a_language_is_in_its_train_split(language: str) -> None:
    tags = defaultdict(set)
    for row in ROWS:
        if row.language == language:
            tags[row.split == demo.TRAIN].update(row.slots.split(" "))
    assert tags[False] <= tags[True]


@pytest.mark.parametrize("language", demo.LANGUAGES)
def test_unseen_values_stay_out_of_train(language: str) -> None:
    grammar = demo.read_grammar(language)
    assert set(grammar.values) == set(grammar.unseen)
    for slot, values in grammar.unseen.items():
        assert not set(values) & set(grammar.values[slot])
    found = defaultdict(set)
    for row in ROWS:
        if row.language == language:
            found[row.split].update(spans(row.text.casefold(), row.slots))
    unseen = {(slot, value.casefold()) for slot, values in grammar.unseen.items() for value in values}
    assert not unseen & found[demo.TRAIN]
    assert unseen & found[demo.TEST]


def test_render_tags_values_of_several_words_and_keeps_glued_punctuation_inside() -> None:
    grammar = demo.Grammar({}, {"destination": ["New York"]}, {"destination": []})
    for seed in range(5):
        text, slots = demo.render("fly to {destination}?", grammar, demo.TRAIN, demo.random.Random(seed))
        assert text.casefold() == "fly to new york?"
        assert slots == "O O B-destination I-destination"


def test_render_uses_the_value_written_in_the_template() -> None:
    grammar = demo.Grammar({}, {"origin": []}, {"origin": []})
    _, slots = demo.render("vol d'{origin=La Havane} svp", grammar, demo.TRAIN, demo.random.Random(0))
    assert slots == "O B-origin I-origin O"


def test_check_detects_an_outdated_dataset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo.sys, "argv", ["generate.py", "--check"])
    assert demo.main() == 0
    stale = tmp_path / "dataset.csv"
    stale.write_text("text,intent,slots,language,split\n", encoding="utf-8")
    monkeypatch.setattr(demo, "DATASET", stale)
    assert demo.main() == 1
