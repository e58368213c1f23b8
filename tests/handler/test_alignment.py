"""Map tags to the words that Hexabot sees."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handler.affixes import Affixes
from handler.alignment import all_outside, hexabot_tags, word_positions, word_tags
from handler.hexabot import Service
from handler.predictor import Predictor, load_predictors
from handler.settings import Settings
from handler.tokenizers import (
    CharactersTokenizer,
    NgramTokenizer,
    SpacePunctTokenizer,
    SpaceTokenizer,
    SplittingTokenizer,
)
from tests.bundles import LENGTH, SLOTS, TAGGER, Head, write_bundle, write_subword_bundle
from tests.hexabot_client import understand

Tagged = tuple[list[str], list[float]]
Tagging = dict[tuple[str, bool], Callable[[str], Tagged]]

SEPARATORS = st.sampled_from([" ", "  ", "   ", " \t ", "\n ", " \r\n"])
WORDS = st.lists(st.sampled_from([*SLOTS, "to", "😀", "émile"]), max_size=LENGTH - 2)
TEXTS = st.text() | st.text(alphabet="Paris New York\t\n,.!\u00a0é😀İ", max_size=40)


def service(*places: Path) -> Service:
    """Load bundles into a service without tokens."""
    return Service(load_predictors(places), Settings(bundles=(), open=True))


def tagged(loaded: Service, text: str) -> Tagged:
    """Return the slots of a text as Hexabot gets them."""
    columns = loaded.predict({"text": text}).answer["slots"]["predictions"]
    return columns["slots_predictions"], columns["slots_probabilities"]


TAGGERS = ["space", "space_punct", "characters", "ngram", "lowercase", "left", "subword", "viterbi"]


@pytest.fixture(scope="module", params=[*TAGGERS, "affixes", "affixes left"])
def tagger(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Service:
    """Yield a tagger of each kind."""
    folder = tmp_path_factory.mktemp("taggers") / "slots"
    if request.param == "subword":
        return service(write_subword_bundle(folder))
    tokenizers: dict[str, SplittingTokenizer] = {
        "space_punct": SpacePunctTokenizer(),
        "characters": CharactersTokenizer(),
        "ngram": NgramTokenizer(),
    }
    padding: Literal["left", "right"] = "left" if "left" in request.param else "right"
    affixes = Affixes([1, 3]) if "affixes" in request.param else None
    tokenizer = tokenizers.get(request.param, SpaceTokenizer())
    lowercase = request.param == "lowercase"
    head = replace(TAGGER, decoding="viterbi") if request.param == "viterbi" else TAGGER
    return service(
        write_bundle(folder, head, tokenizer=tokenizer, padding=padding, lowercase=lowercase, affixes=affixes)
    )


@pytest.fixture(scope="module")
def both_paddings(tmp_path_factory: pytest.TempPathFactory) -> tuple[Service, Service]:
    """Return the same tagger with padding on the right and on the left."""
    folder = tmp_path_factory.mktemp("paddings")
    return service(write_bundle(folder / "right", TAGGER)), service(
        write_bundle(folder / "left", TAGGER, padding="left")
    )


@pytest.fixture(scope="module")
def tagged_by_words(tmp_path_factory: pytest.TempPathFactory) -> Tagging:
    """Return the same tagger for both padding sides, with and without affixes."""
    folder = tmp_path_factory.mktemp("affixes")
    paddings: tuple[Literal["left", "right"], ...] = ("left", "right")
    loaded = {
        (padding, has): service(
            write_bundle(folder / f"{padding}{has}", TAGGER, padding=padding, affixes=Affixes([2]) if has else None)
        )
        for padding in paddings
        for has in (True, False)
    }
    return {key: partial(tagged, found) for key, found in loaded.items()}


@given(text=TEXTS)
def test_every_piece_of_hexabots_split_has_a_tag(tagger: Service, text: str) -> None:
    tags, probabilities = tagged(tagger, text)
    words = text.split(" ")
    assert len(tags) == len(probabilities) == len(words) + 2
    assert (tags[0], tags[-1]) == ("<SOS>", "<EOS>")
    assert {tag for tag, word in zip(tags[1:-1], words, strict=True) if not word.strip()} <= {"O"}
    assert all(0.0 <= probability <= 1.0 for probability in probabilities)
    assert {tag[:2] for tag in tags[1:-1]} <= {"O", "B-", "I-"}


@given(data=st.data(), words=WORDS)
def test_white_space_does_not_change_the_tags_of_known_words(
    both_paddings: tuple[Service, Service], data: st.DataObject, words: list[str]
) -> None:
    text = "".join(data.draw(SEPARATORS) + word for word in words) + data.draw(SEPARATORS)
    glued = {word for word in text.split(" ") if word and word not in words}
    expected = [SLOTS.get(word, "O") for word in text.split(" ") if word not in glued]
    right, left = (tagged(loaded, text) for loaded in both_paddings)
    assert right == left
    found = [tag for tag, word in zip(right[0][1:-1], text.split(" "), strict=True) if word not in glued]
    cut = len(text.strip().split()) + sum(bool(word) and not word.strip() for word in text.split(" ")) > LENGTH - 1
    assert cut or found == expected


@pytest.mark.parametrize(
    ("text", "tags"),
    [
        ("", ["O"]),
        ("Paris", ["B-city"]),
        (" Paris", ["O", "B-city"]),
        ("fly   to  Paris", ["O", "O", "O", "O", "O", "B-city"]),
        ("\tParis", ["B-city"]),
        ("\n Paris \n", ["O", "B-city", "O"]),
        ("fly\tto Paris", ["O", "B-city"]),
        ("fly to New York tomorrow", ["O", "O", "B-city", "I-city", "B-date"]),
        ("إلى عمان", ["O", "B-city"]),
    ],
    ids=repr,
)
def test_words_get_their_tags(both_paddings: tuple[Service, Service], text: str, tags: list[str]) -> None:
    for loaded in both_paddings:
        assert tagged(loaded, text)[0] == ["<SOS>", *tags, "<EOS>"]


@pytest.mark.parametrize(
    ("text", "slots"),
    [
        ("fly to Paris!", {"Paris!": "city"}),
        ("fly to Paris, New York.", {"Paris,": "city", "New York.": "city"}),
        ("Paris,New York", {"Paris,New York": "city"}),
        ("(Paris)", {}),
    ],
    ids=["mark behind", "list", "glued", "mark before"],
)
def test_a_word_has_the_tag_of_its_first_token(tmp_path: Path, text: str, slots: dict[str, str]) -> None:
    loaded = service(write_bundle(tmp_path / "slots", TAGGER, tokenizer=SpacePunctTokenizer()))
    answer = {
        "language": {"predictions": {}, "status": "success"},
        "slots": loaded.predict({"text": text}).answer["slots"],
    }
    assert {slot.value: slot.entity for slot in understand(text, answer).slots} == slots


@pytest.mark.parametrize("padding", ["right", "left"])
def test_subwords_fold_back_to_words(tmp_path: Path, padding: Literal["left", "right"]) -> None:
    loaded = service(write_subword_bundle(tmp_path / "slots", padding=padding))
    tags, _ = tagged(loaded, "  FLY to\tParis, páris New  york")
    assert tags == ["<SOS>", "O", "O", "O", "B-city", "B-city", "B-city", "O", "I-city", "<EOS>"]


TORN = Head(
    name="slots",
    kind="sequence",
    words={"Rome": "B-city", "concert": "B-event", "gala": "I-event"},
    logits={"Rome": 2.0},
)
"""It takes Rome for a city, and "Rome gala" for the end of an event: to Hexabot, a city."""


def test_viterbi_decoding_completes_a_broken_slot(tmp_path: Path) -> None:
    """The text has a double space, a truncated word, and slots that are complete already."""
    torn = service(write_bundle(tmp_path / "torn", TORN, length=6))
    mended = service(write_bundle(tmp_path / "mended", replace(TORN, decoding="viterbi"), length=6))
    text = "to Rome gala  concert gala gala"
    assert tagged(torn, text)[0][1:-1] == ["O", "B-city", "I-event", "O", "B-event", "I-event", "O"]
    tags, probabilities = tagged(mended, text)
    assert tags[1:-1] == ["O", "B-event", "I-event", "O", "B-event", "I-event", "O"]
    assert 0.5 < probabilities[2] <= probabilities[3] < 1
    assert probabilities[4] == 1.0
    assert probabilities[-2] == 0.0
    untorn = "to Rome  concert gala"
    (tags, probabilities), (expected, sureness) = tagged(mended, untorn), tagged(torn, untorn)
    assert tags == expected
    assert probabilities == sureness


def test_viterbi_decoding_applies_to_batches(tmp_path: Path) -> None:
    loaded = service(write_bundle(tmp_path / "mended", replace(TORN, decoding="viterbi")))
    texts = ["to Rome", "Rome gala", "concert gala"]
    asked = {"dataset": {"columns": ["text"], "data": [[text] for text in texts]}}
    table = loaded.batch_predict(asked).answer["slots"]["predictions"]
    rows = [dict(zip(table["columns"], row, strict=True)) for row in table["data"]]
    assert [(row["slots_predictions"], row["slots_probabilities"]) for row in rows] == [
        tagged(loaded, text) for text in texts
    ]
    assert rows[1]["slots_predictions"] == ["<SOS>", "B-event", "I-event", "<EOS>"]


def test_decoding_does_not_change_ludwigs_columns(tmp_path: Path) -> None:
    folders = [write_bundle(tmp_path / kind, replace(TORN, decoding=kind)) for kind in ("argmax", "viterbi")]
    torn, mended = (Predictor(folder).predict([{"text": "Rome gala"}]) for folder in folders)
    assert torn == mended
    assert torn[0]["slots_predictions"][1:3] == ["B-city", "I-event"]


def test_words_that_the_graph_never_saw_are_outside_with_probability_0(tmp_path: Path) -> None:
    loaded = service(write_bundle(tmp_path / "slots", TAGGER, length=4))
    tags, probabilities = tagged(loaded, "to to Paris Paris Paris")
    assert tags == ["<SOS>", "O", "O", "B-city", "O", "O", "<EOS>"]
    assert probabilities[3] > 0.9
    assert probabilities[4:] == [0.0, 0.0, 1.0]


def test_a_span_is_as_certain_as_its_least_certain_word() -> None:
    tags = ["B-city", "I-city", "I-date", "I-city", "B-date"]
    shaped = hexabot_tags("a b c d e", tags, [0.9, 0.6, 0.1, 0.2, 0.8])
    assert shaped == (["<SOS>", *tags, "<EOS>"], [1.0, 0.6, 0.6, 0.1, 0.2, 0.8, 1.0])


@given(
    words=st.lists(st.tuples(st.sampled_from(["B-x", "I-x", "B-y", "O"]), st.floats(0.51, 1)), min_size=1, max_size=8),
    data=st.data(),
)
def test_hexabot_reads_the_confidence_of_the_least_certain_word(
    words: list[tuple[str, float]], data: st.DataObject
) -> None:
    """This also holds across two or more spaces, which Hexabot skips."""
    spaces = st.sampled_from([" ", "  ", "    "])
    text = "".join(f"w{position}{data.draw(spaces)}" for position in range(len(words)))
    tags, probabilities = hexabot_tags(text, *map(list, zip(*words, strict=True)))
    answer = {
        "language": {"predictions": {}},
        "slots": {"predictions": {"slots_predictions": tags, "slots_probabilities": probabilities}},
    }
    read = understand(text, answer).slots
    assert len(read) == sum(tag.startswith("B-") for tag, _ in words)
    for slot in read:
        assert slot.confidence == min(words[int(word[1:])][1] for word in slot.value.split())


@pytest.mark.parametrize(
    ("text", "words", "pieces"),
    [
        ("fly to\tNew York", ["O", "O", "B-city", "I-city"], ["O", "B-city", "I-city"]),
        ("fly to\tRome", ["O", "O", "B-city"], ["O", "B-city"]),
        ("Rome\ton May 5", ["B-city", "O", "B-date", "I-date"], ["B-city", "B-date", "I-date"]),
        ("New \xa0 York \n now", ["B-city", "I-city", "O"], ["B-city", "I-city", "I-city", "O", "O"]),
        ("New  York \n ", ["B-city", "I-city"], ["B-city", "O", "I-city", "O", "O"]),
        ("a\tb c", ["O", "I-city", "I-city"], ["I-city", "I-city"]),
    ],
)
def test_other_white_space_loses_no_slot(text: str, words: list[str], pieces: list[str]) -> None:
    assert hexabot_tags(text, words, [0.9] * len(words))[0] == ["<SOS>", *pieces, "<EOS>"]


@given(words=st.lists(st.sampled_from(["x", "y", ""]), min_size=1, max_size=8), data=st.data())
def test_hexabot_reads_every_slot_that_shares_no_piece(words: list[str], data: st.DataObject) -> None:
    """The words of a slot are in the value that Hexabot reads, whatever white space separates them."""
    space = st.sampled_from([" ", "  ", "\t", "\n", " \t ", " \xa0 ", "\t "])
    names = [f"w{position}" for position in range(len(words))]
    text = "".join(f"{name}{data.draw(space)}" for name in names)
    before = ["", *words]
    tags = [
        f"{'I' if slot == before[position] else 'B'}-{slot}" if slot else "O" for position, slot in enumerate(words)
    ]
    shaped, probabilities = hexabot_tags(text, tags, [0.9] * len(tags))
    slots = {"slots_predictions": shaped, "slots_probabilities": probabilities}
    read = understand(text, {"language": {"predictions": {}}, "slots": {"predictions": slots}}).slots

    whole = ["O", *(tag for tag, piece in zip(shaped[1:], text.split(" "), strict=False) if piece)]
    assert all(tag[0] != "I" or before[2:] == tag[2:] for before, tag in pairwise(whole)), "no tag that Hexabot drops"
    for piece in text.split(" "):
        inside = [(position, words[position]) for position in range(len(words)) if names[position] in piece.split()]
        kinds = {slot for _, slot in inside if slot}
        if len(kinds) == 1:
            position, slot = next((position, slot) for position, slot in inside if slot)
            assert any(found.entity == slot and names[position] in found.value.split() for found in read)


def test_special_symbols_are_outside() -> None:
    assert word_tags([0, 1], ["<PAD>", "B-city"], [0.7, 0.8], ["<PAD>"]) == (["O", "B-city"], [0.7, 0.8])


@pytest.mark.parametrize(
    ("text", "tokens", "positions"),
    [
        ("fly to Paris", [(0, 3), (4, 6), (7, 12)], [0, 1, 2]),
        ("fly\tto Paris", [(0, 6), (7, 12)], [0, 0, 1]),
        ("\tParis", [(0, 1), (1, 2), (2, 3), (3, 4), (4, 5), (5, 6)], [1]),
        (",Paris", [(0, 0), (1, 6)], [1]),
        ("a \u200b b", [(0, 1), (4, 5)], [0, None, 1]),
        ("a b c", [(0, 1)], [0, None, None]),
        (" \n", [(0, 2)], []),
    ],
    ids=["words", "one token for two", "blank token", "empty token", "dropped", "cut", "blank"],
)
def test_a_word_has_the_position_of_its_first_token(
    text: str, tokens: list[tuple[int, int]], positions: list[int | None]
) -> None:
    assert word_positions(text, enumerate(tokens)) == positions


def test_words_that_share_a_token_are_one_slot() -> None:
    tags, probabilities = word_tags([1, 1, 2, 2, None], ["", "B-city", "O"], [0.0, 0.9, 0.8])
    assert tags == ["B-city", "I-city", "O", "O", "O"]
    assert probabilities == [0.9, 0.9, 0.8, 0.8, 0.0]


@pytest.mark.parametrize("padding", ["right", "left"])
@given(text=TEXTS | st.lists(st.sampled_from([*SLOTS, "to"])).map("  ".join))
def test_affixes_do_not_change_positions(
    tagged_by_words: Tagging, padding: Literal["left", "right"], text: str
) -> None:
    """A word with affixes has several tokens but one tag, also after double spaces and in a truncated text."""
    assert tagged_by_words[padding, True](text) == tagged_by_words[padding, False](text)


@given(text=TEXTS)
def test_all_outside_tags_every_word(text: str) -> None:
    tags, probabilities = all_outside(text)
    words = text.split(" ")
    assert tags == ["<SOS>", *["O"] * len(words), "<EOS>"]
    assert probabilities == [1.0, *[0.0 if word.strip() else 1.0 for word in words], 1.0]
