"""Word tags, converted to the token tags that a tagger learns."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import tokenizers
from hypothesis import given
from hypothesis import strategies as st

from export.text import SPLITTING
from tests.bundles import WORD_PIECES, word_piece
from training.config import Config, minilm_folder
from training.dataset import prepare
from training.errors import ConfigError, DatasetError
from training.slots import ludwig_rows, spread_tags

SLOTS = {"name": "slots", "type": "sequence", "column": "slots", "decoder": {"type": "tagger"}}
WORDS = st.text(st.characters(exclude_categories=["Z", "C"]) | st.sampled_from("ab_,'-İß"), min_size=1, max_size=8)
SPACES = st.sampled_from([" ", "  ", "\t", "\u00a0", " \n "])


def config(tokenizer: str, *, lowercase: bool = False, decoder: str = "tagger", kind: str = "text") -> Config:
    """Return the parts of a complete configuration that determine the tokens of a text."""
    preprocessing: dict[str, Any] = {"tokenizer": tokenizer, "lowercase": lowercase}
    if tokenizer == "hf_tokenizer":
        preprocessing["pretrained_model_name_or_path"] = str(minilm_folder({}))
    return {
        "input_features": [{"name": "text", "type": kind, "column": "text", "preprocessing": preprocessing}],
        "output_features": [{**SLOTS, "decoder": {"type": decoder}}],
    }


def spread(made: Config, *rows: tuple[object, object]) -> list[str]:
    dataset = pd.DataFrame(rows, columns=["text", "slots"])
    return list(spread_tags(made, dataset)["slots"])


@pytest.mark.parametrize(
    ("text", "tags"),
    [("fly to New York", "O O B-city I-city"), ("hello", "O"), ("à  Paris ,", "O B-city O"), (" x ", "O")],
    ids=["plain", "one", "double space", "ends"],
)
def test_words_between_spaces_keep_their_tags(text: str, tags: str) -> None:
    assert spread(config("space"), (text, tags)) == [tags]


@pytest.mark.parametrize(
    ("tokenizer", "text", "tags", "expected"),
    [
        ("space_punct", "to Paris, now!", "O B-city B-date", "O B-city I-city B-date I-date"),
        ("space_punct", "l'été dernier", "B-date I-date", "B-date I-date I-date I-date"),
        ("space_punct", "(New York)", "B-city I-city", "B-city I-city I-city I-city"),
        ("space_punct", "don't go", "O O", "O O O O"),
        ("characters", "to NY", "O B-city", "O O O B-city I-city"),
        ("characters", "a b", "B-x B-y", "B-x O B-y"),
        ("comma", "a, b c", "B-x B-y I-y", "B-x B-y"),
        ("comma", ",a,,b", "B-x", "O B-x O I-x"),
        ("underscore", "a_b c", "B-x O", "B-x O"),
        ("stripped", "  New York ", "B-city I-city", "B-city"),
    ],
    ids=[
        "punctuation ends a slot's word",
        "apostrophe",
        "brackets",
        "outside",
        "characters",
        "neighbours",
        "comma",
        "empty tokens",
        "underscore",
        "stripped",
    ],
)
def test_the_tokens_of_a_word_continue_its_slot(tokenizer: str, text: str, tags: str, expected: str) -> None:
    assert spread(config(tokenizer), (text, tags)) == [expected]


def test_a_tab_does_not_end_a_token_between_spaces() -> None:
    # Ludwig's `space` splits on the space alone: the token has the tag of its first word.
    assert spread(config("space"), ("fly\tto Paris", "B-x O B-city")) == ["B-x B-city"]


def test_lowercasing_that_lengthens_a_text_does_not_shift_tags() -> None:
    rows = [("İİİ, İzmir now", "O B-city B-date")]
    assert spread(config("space_punct", lowercase=True), *rows) == ["O O O O O O O B-city I-city I-city B-date"]
    assert spread(config("space", lowercase=True), *rows) == ["O B-city B-date"]


def test_only_outputs_that_are_taggers_are_changed() -> None:
    assert spread(config("characters", decoder="generator"), ("ab", "B-x")) == ["B-x"]
    assert spread(config("characters", kind="category"), ("ab", "B-x")) == ["B-x"]


def test_column_names_can_differ_from_feature_names() -> None:
    made = config("characters")
    made["input_features"][0]["column"], made["output_features"][0]["column"] = "words", "tags"
    dataset = pd.DataFrame({"words": ["ab"], "tags": ["B-x"], "slots": ["O"]})
    assert spread_tags(made, dataset).to_dict("list") == {"words": ["ab"], "tags": ["B-x I-x"], "slots": ["O"]}
    assert list(dataset["tags"]) == ["B-x"]


def test_rows_with_too_many_or_too_few_tags_are_listed() -> None:
    rows = [("fly to Paris", "O O B-city"), ("hello there", "O"), ("bye", "O O")]
    with pytest.raises(DatasetError) as caught:
        spread(config("space"), *rows)
    assert str(caught.value) == (
        "2 rows (the first row below the header is 1) need one tag in 'slots' for each word of the text: "
        "row 2: 2 words, 1 tags ('hello there'); row 3: 1 words, 2 tags ('bye')."
    )


def test_row_numbers_match_the_file() -> None:
    rows = {"text": ["hi", "no tags", "hello there", "bye"], "slots": ["O", None, "O", "O"], "split": [0, 0, 1, 1]}
    with pytest.raises(DatasetError, match="row 3: 2 words, 1 tags \\('hello there'\\)"):
        prepare(config("space"), pd.DataFrame(rows))


def test_only_the_first_wrong_rows_are_shown() -> None:
    with pytest.raises(DatasetError, match=r"^9 rows .*row 5: 1 words, 2 tags \('bye'\) \.\.\.$"):
        spread(config("space"), *[("bye", "O O")] * 9)


@pytest.mark.parametrize(
    "row", [(None, "O"), (float("nan"), "O"), (5, "O"), ("hi", ["O"])], ids=["none", "nan", "number", "list of tags"]
)
def test_a_value_that_is_not_text_is_reported_with_its_row(row: tuple[object, object]) -> None:
    with pytest.raises(DatasetError, match=r"^Row 2 has .* in 'slots'; expected a text and space-separated tags"):
        spread(config("space"), ("hi", "O"), row)


def test_a_tokenizer_without_offsets_is_rejected() -> None:
    with pytest.raises(ConfigError, match=r"with the tokenizer 'english_tokenize': use one of \['space', "):
        spread(config("english_tokenize"), ("a", "O"))


def test_different_padding_sides_are_rejected() -> None:
    made = config("space")
    made["input_features"][0]["preprocessing"]["padding"] = "left"
    with pytest.raises(ConfigError, match=r"'text' has `padding: left` and 'slots' has `padding: right`"):
        spread(made, ("a", "O"))
    made["output_features"][0]["preprocessing"] = {"padding": "left"}
    assert spread(made, ("a", "O")) == ["O"]


@pytest.mark.ludwig
@pytest.mark.filterwarnings("ignore")
def test_a_tokenizer_without_a_start_symbol_is_rejected(tmp_path: Path) -> None:
    """T5 and GPT-2 have none: each tag would be one position after its token."""
    from transformers import PreTrainedTokenizerFast

    tokenizer = word_piece(WORD_PIECES)
    tokenizer.post_processor = tokenizers.processors.TemplateProcessing(
        single="$A [SEP]", special_tokens=[("[SEP]", 3)]
    )
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="[UNK]", pad_token="[PAD]").save_pretrained(tmp_path)
    made = config("hf_tokenizer")
    made["input_features"][0]["preprocessing"]["pretrained_model_name_or_path"] = str(tmp_path)
    with pytest.raises(ConfigError, match="adds 0 special tokens before a text, but slots need exactly one"):
        spread(made, ("fly", "O"))


def test_affixes_keep_one_tag_for_each_word() -> None:
    made = config("space", lowercase=True)
    made["input_features"][0]["column"] = "text+affixes24"
    assert spread(made, ("fly  to New York", "O O B-city I-city")) == ["O O B-city I-city"]
    rows = pd.DataFrame({"text": ["to Paris"], "slots": ["O B-city"]})
    assert list(ludwig_rows(made, rows)["text+affixes24"]) == [
        "* * * * to* to* to *to *to Pa* Pari* Paris *aris *is * * * *"
    ]


def test_affixes_are_tagged_by_words_between_spaces_only() -> None:
    made = config("space_punct")
    made["input_features"][0]["column"] = "text+affixes2"
    with pytest.raises(ConfigError, match="cannot be trained on affixes with the tokenizer 'space_punct': use `space`"):
        spread(made, ("to Paris", "O B-city"))


@st.composite
def tagged_texts(draw: st.DrawFn) -> tuple[str, list[str]]:
    """Draw a text with all kinds of spaces, and one tag per word."""
    pieces = draw(st.lists(st.tuples(WORDS, SPACES), max_size=6))
    text = draw(st.sampled_from(["", " ", "\t"])) + "".join(word + space for word, space in pieces)
    tags = st.sampled_from(["O", "B-x", "I-x", "B-y"])
    return text, draw(st.lists(tags, min_size=len(text.split()), max_size=len(text.split())))


@pytest.mark.parametrize("lowercase", [False, True], ids=["as written", "lowercase"])
@pytest.mark.parametrize("tokenizer", sorted(SPLITTING))
@given(tagged=tagged_texts())
def test_every_token_has_a_tag(tokenizer: str, lowercase: bool, tagged: tuple[str, list[str]]) -> None:
    text, tags = tagged
    (found,) = spread(config(tokenizer, lowercase=lowercase), (text, " ".join(tags)))
    tokens = SPLITTING[tokenizer]().split(text.lower() if lowercase else text)
    assert len(found.split()) == len(tokens)
    assert set(found.split()) <= {*tags, *(f"I-{tag[2:]}" for tag in tags), "O"}


@given(tagged=tagged_texts())
def test_no_slot_is_lost_or_broken(tagged: tuple[str, list[str]]) -> None:
    """If no token is longer than a word, the same slots begin in the same order."""
    text, tags = tagged
    (found,) = spread(config("space_punct"), (text, " ".join(tags)))
    assert starts(found.split()) == starts(tags)


def starts(tags: Sequence[str]) -> list[str]:
    return [tag for tag in tags if tag.startswith("B-")]


@pytest.mark.ludwig
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("text", "tags", "expected"),
    [
        ("fly to paris", "O O B-city", "O O B-city"),
        ("flurbish now", "B-x O", "B-x I-x I-x O"),
        ("Kuala  Lumpur!\tnow", "B-city I-city O", "B-city I-city I-city O"),
        ("İzmir", "B-city", "B-city I-city I-city"),
        ("\u200b ok", "B-x O", "O"),
    ],
    ids=["whole words", "unknown word", "spaces", "turkish", "removed by the tokenizer"],
)
def test_subwords(text: str, tags: str, expected: str) -> None:
    assert spread(config("hf_tokenizer"), (text, tags)) == [expected]


@pytest.mark.ludwig
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "feature",
    [
        {"type": "text", "encoder": {"type": "rnn", "reduce_output": None}},
        {"type": "sequence", "encoder": {"type": "rnn", "reduce_output": None}},
        {
            "type": "text",
            "encoder": {"type": "rnn", "reduce_output": None},
            "preprocessing": {"tokenizer": "characters", "lowercase": True},
        },
        {
            "type": "text",
            "encoder": {
                "type": "auto_transformer",
                "pretrained_model_name_or_path": str(minilm_folder({})),
                "reduce_output": None,
            },
        },
    ],
    ids=["text by default", "sequence by default", "characters", "transformer"],
)
def test_ludwigs_own_tokenizer_finds_as_many_tokens(feature: dict[str, Any]) -> None:
    """Covers Ludwig's defaults, which split a text and a sequence differently."""
    from ludwig.schema.model_types.base import ModelConfig
    from ludwig.utils.tokenizers import get_tokenizer_from_registry

    given_config = {
        "input_features": [{"name": "text", **feature}],
        "output_features": [{"name": "slots", "type": "sequence", "reduce_input": None, "decoder": {"type": "tagger"}}],
    }
    full = ModelConfig.from_dict(given_config).to_dict()
    text = "l'été, flurbish  İzmir!"
    (found,) = spread(full, (text, "B-date O B-city"))
    preprocessing = full["input_features"][0]["preprocessing"]
    tokenizer = get_tokenizer_from_registry(preprocessing["tokenizer"])(
        pretrained_model_name_or_path=preprocessing.get("pretrained_model_name_or_path")
    )
    tokens = tokenizer(text.lower() if preprocessing["lowercase"] else text)
    special = 2 if preprocessing["tokenizer"] == "hf_tokenizer" else 0
    assert len(found.split()) == len(tokens) - special
