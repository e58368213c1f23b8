"""`fit --augment` adds changed copies of training rows, and never touches or repeats validation and test rows."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from handler.decoding import BEGIN, INSIDE, OUTSIDE
from training.__main__ import main
from training.augmentation import CHANGES, Word, slot_values, with_copies
from training.errors import ConfigError
from training.imports.vocabulary import entities_of

TAGS = {
    "book a flight to New York please": "O O O O B-city I-city O",
    "fly me to Cairo on next friday morning": "O O O B-city O B-date I-date I-date",
    "احجز رحلة إلى القاهرة غدا": "O O O B-city B-date",
    "what is the weather like today?": "O O O O O O",
}
TEXT = {"name": "text", "type": "text"}
TAGGER = {"name": "slots", "type": "sequence", "decoder": {"type": "tagger"}}
INTENT = {"name": "intent", "type": "category"}


def config(*outputs: dict[str, Any], inputs: int = 1) -> dict[str, Any]:
    names = [TEXT, {"name": "other", "type": "text"}][:inputs]
    return {"input_features": names, "output_features": list(outputs)}


def rows() -> pd.DataFrame:
    found = pd.DataFrame({"text": list(TAGS), "slots": list(TAGS.values()), "intent": ["a", "a", "a", "b"]})
    held = found.assign(text=found["text"].str.replace("New York", "Cairo"), slots=TAGS[next(iter(TAGS))])
    held = held.iloc[:1].assign(slots="O O O O B-city O")
    return pd.concat([found.assign(split=0), held.assign(split=1), held.assign(split=2)], ignore_index=True)


def spoken(words: list[Word]) -> list[tuple[str, ...]]:
    """Return the values of all slots."""
    return [value for values in slot_values([words]).values() for value in values]


def test_copies_are_training_rows_with_the_label_of_their_source_and_a_tag_for_each_word() -> None:
    given_rows = rows()
    found = with_copies(config(TAGGER, INTENT), given_rows, 10, 42)
    pd.testing.assert_frame_equal(found[: len(given_rows)], given_rows, check_dtype=False)
    copies = found[len(given_rows) :]
    assert len(copies) > 20
    assert set(copies["split"]) == {0}
    assert all(
        len(text.split()) == len(tags.split()) for text, tags in zip(copies["text"], copies["slots"], strict=True)
    )
    assert (copies["intent"] == "b").sum() >= 5
    assert not copies["text"].duplicated().any()


def test_no_copy_is_a_text_of_the_validation_or_the_test_in_any_case() -> None:
    held = {text.casefold() for text in rows().loc[rows()["split"] > 0, "text"]}
    made = [with_copies(config(TAGGER, INTENT), rows(), 20, seed)["text"][len(rows()) :] for seed in range(20)]
    texts = {text.casefold() for each in made for text in each}
    assert "book a flight to cairo please" in held
    assert "fly me to new york on next friday morning" in texts  # the swap that makes the held text is possible
    assert not held & texts


@given(st.integers(0, 10_000), st.sampled_from(sorted(TAGS)), st.sampled_from(sorted(CHANGES)))
def test_changes_keep_tags_in_order_and_slots_whole(seed: int, text: str, kind: str) -> None:
    texts = [[Word(*each) for each in zip(text.split(), tags.split(), strict=True)] for text, tags in TAGS.items()]
    words = texts[list(TAGS).index(text)]
    changed = CHANGES[kind](words, slot_values(texts), np.random.default_rng(seed))
    starts = [word.tag for word in changed if word.tag.startswith(BEGIN)]
    assert starts == [word.tag for word in words if word.tag.startswith(BEGIN)]
    before = OUTSIDE
    for word in changed:
        assert word.text
        assert " " not in word.text
        assert not word.tag.startswith(INSIDE) or before[2:] == word.tag[2:]
        before = word.tag
    if kind == "a swapped slot value":
        cities = {value for each in texts for value in slot_values([each]).get("city", ())}
        lower = {tuple(word.lower() for word in city) for city in cities}
        assert set(slot_values([changed]).get("city", ())) <= cities | lower
    if kind in ("a dropped word", "other punctuation"):
        assert spoken(changed) == spoken(words)


RASA = """
nlu:
- intent: fly
  examples: |
    - fly me to [cairo](city) please
    - i want a flight to [lyon](city) now
    - please book a flight
- lookup: city
  examples: |
    - Port Said
    - Marseille
- lookup: plane
  examples: |
    - jumbo
"""


def test_values_also_come_from_the_lookup_tables_that_import_keeps(tmp_path: Path) -> None:
    (tmp_path / "nlu.yml").write_text(RASA)
    assert main(["import", str(tmp_path / "nlu.yml"), "--output", str(tmp_path / "data.csv")]) == 0
    given_rows = pd.read_csv(tmp_path / "data.csv").assign(split=0)
    entities = entities_of(tmp_path / "data.csv")
    copies = with_copies(config(TAGGER), given_rows, 20, 1, entities)[len(given_rows) :]
    swapped = dict(zip(copies["text"], copies["slots"], strict=True))
    assert swapped["fly me to port said please"] == "O O O B-city I-city O"  # in lower case, like the text
    assert swapped["i want a flight to marseille now"] == "O O O O O B-city O"
    texts = " ".join(swapped)
    assert "jumbo" not in texts
    without = with_copies(config(TAGGER), given_rows, 20, 1)["text"]
    assert not without.str.contains("(?i)marseille|port said").any()


def test_the_same_seed_makes_the_same_copies_and_another_seed_others() -> None:
    one, again, other = (with_copies(config(INTENT), rows(), 3, seed)["text"].tolist() for seed in (1, 1, 2))
    assert one == again != other


@pytest.mark.parametrize(
    ("found", "copies", "message"),
    [
        (config(INTENT), 21, "--augment is 21: expected 1 to 20 copies"),
        (config(INTENT), -1, "--augment is -1: expected"),
        (config(INTENT, inputs=2), 2, "the configuration reads .*remove --augment"),
        (config(TAGGER, {**TAGGER, "name": "more"}), 2, "supports a single column of tags"),
    ],
)
def test_what_cannot_be_augmented_is_an_error(found: dict[str, Any], copies: int, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        with_copies(found, rows(), copies, 1)


@pytest.mark.ludwig
@pytest.mark.filterwarnings("ignore")
def test_fit_trains_on_copies_and_measures_the_rows_of_the_dataset(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = pd.DataFrame({"text": [f"{word} number {n}" for word in ("hello", "goodbye") for n in range(30)]})
    data = data.assign(intent=["greet"] * 30 + ["leave"] * 30, split=([0] * 20 + [1] * 5 + [2] * 5) * 2)
    data.to_csv(tmp_path / "data.csv", index=False)
    arguments = ["--config", "intent-light", "--dataset", str(tmp_path / "data.csv"), "--output", str(tmp_path / "run")]
    assert main(["fit", *arguments, "--augment", "2"]) == 0
    told = capsys.readouterr().err
    assert "Augmented 40 training rows with" in told
    assert "with a typo" in told
    record = json.loads((tmp_path / "run" / "training.json").read_text())
    assert (record["augment"], record["rows"]) == (2, 60)
    lines = (tmp_path / "run" / "evaluation" / "predictions.jsonl").read_text().splitlines()
    assert {json.loads(line)["text"] for line in lines} == set(data.loc[data["split"] == 2, "text"])

    # Without a configuration, the best candidate competes with itself plus copies.
    assert main(["fit", *arguments[2:], "--augment", "2", "--force", "--prefer", "fast", "--budget-minutes", "60"]) == 0
    record = json.loads((tmp_path / "run" / "training.json").read_text())
    choice = record["choice"]
    assert {"intent-light", "intent-light --augment 2"} <= {each["name"] for each in choice["candidates"]}
    assert record.get("augment", 0) == (2 if choice["winner"] == "intent-light --augment 2" else 0)
    assert choice["winner"] in choice["reason"]
