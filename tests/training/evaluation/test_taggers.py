"""`fit` scores the same tags that the handler serves, for every tokenizer and both paddings."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from export.build import export_model
from export.model import load_model
from export.text import SPLITTING
from handler.affixes import Affixes
from handler.alignment import hexabot_tags
from handler.context import Context
from handler.decoding import SlotDecoder
from handler.hexabot import Service
from handler.predictor import Predictor
from handler.settings import Settings
from tests.bundles import LENGTH, SPECIAL, WORD_PIECES, Head, word_piece, write_bundle, write_subword_bundle
from training.evaluation.answers import answer_rows
from training.evaluation.evaluate import read_evaluation
from training.evaluation.taggers import Tagger, taggers_of
from training.fit import fit
from training.slots import spread_tags

Padding = Literal["left", "right"]
PADDINGS: tuple[Padding, ...] = ("left", "right")
MADE = {"affixes": ("text+affixes13", Affixes([1, 3])), "context": ("text+context21", Context(2, 1))}
KINDS = [*SPLITTING, *MADE]

TAGS = {
    "New": "B-city",
    "York": "I-city",
    "New York": "B-city",
    "to": "O",
    "gala": "I-event",
    "N": "B-city",
    "Y": "I-x",
}
HEAD = Head(name="slots", kind="sequence", words=TAGS)
DECODED = Head(name="slots", kind="sequence", words=TAGS, decoding="viterbi")

WORDS = st.sampled_from(["New", "York", "to", "gala", "N", "Y", ",", "_", "İ", "é!", "New,York", "N_Y", ",gala"])
SPACES = st.sampled_from([" ", "  ", "\t", " \n", "\u00a0", ", ", " _ "])
TEXTS = st.builds(
    lambda start, pairs: start + "".join(word + space for word, space in pairs),
    st.sampled_from(["", " ", "\t"]),
    st.lists(st.tuples(WORDS, SPACES), max_size=LENGTH + 2),
)


@dataclass(frozen=True)
class Both:
    """The same tagger as the handler serves it and as `fit` scores it."""

    predictor: Predictor
    config: dict[str, Any]
    taggers: dict[str, Tagger]

    def served(self, text: str) -> tuple[list[str], list[float]]:
        """Return the tags and probabilities of `text.split(" ")` that Hexabot gets."""
        service = Service({"slots": self.predictor}, Settings(bundles=(), open=True))
        columns = service.predict({"text": text}).answer["slots"]["predictions"]
        return columns["slots_predictions"][1:-1], columns["slots_probabilities"][1:-1]

    def scored(self, text: str) -> tuple[list[str], float]:
        """Return the tags of `text.split()` and the probability that `fit` scores."""

        def predict(asked: pd.DataFrame) -> list[dict[str, Any]]:
            arrays = self.predictor.run(asked.to_dict("records"))
            (columns,) = self.predictor.columns(arrays)
            logits = {"slots_logits": arrays["slots::logits"][0]} if "slots::logits" in arrays else {}
            return [{**columns["slots"], **logits}]

        (record,) = answer_rows(predict, self.config, pd.DataFrame({"text": [text]}), taggers=self.taggers)
        return record["slots_predictions"].split(), record["slots_probability"]

    def agree(self, text: str) -> None:
        """Check that Hexabot gets the tags that `fit` scores."""
        tags, _ = self.served(text)
        scored, probability = self.scored(text)
        assert len(scored) == len(text.split())
        assert ["<SOS>", *tags, "<EOS>"] == hexabot_tags(text, scored, [1.0] * len(scored))[0]
        if all(len(piece.split()) == 1 for piece in text.split(" ")):
            positions = self.taggers["slots"].positions(text)
            seen = [
                sure for sure, position in zip(self.served(text)[1], positions, strict=True) if position is not None
            ]
            assert probability == pytest.approx(min(seen, default=0.0), abs=1e-6)


def config(tokenizer: str, padding: Padding, *, column: str = "text", **more: Any) -> dict[str, Any]:
    """Return the parts of a complete configuration that affect tagging."""
    return {
        "input_features": [
            {
                "name": "text",
                "column": column,
                "type": "text",
                "preprocessing": {"tokenizer": tokenizer, "lowercase": False, "padding": padding, **more},
            }
        ],
        "output_features": [
            {
                "name": "slots",
                "column": "slots",
                "type": "sequence",
                "preprocessing": {"padding": padding},
                "decoder": {"type": "tagger"},
            }
        ],
    }


def metadata(made: dict[str, Any], length: int, stride: int = 1) -> dict[str, Any]:
    """Return Ludwig's metadata for the features of a configuration."""
    symbols = {symbol: index for index, symbol in enumerate(SPECIAL)}
    filling = {"missing_value_strategy": "fill_with_const", "computed_fill_value": "<UNK>"}
    text = made["input_features"][0]["preprocessing"] | filling | {"padding_symbol": "<PAD>"}
    return {
        "text": {
            "preprocessing": text,
            "max_sequence_length": length * stride,
            "idx2str": SPECIAL,
            "str2idx": symbols,
        },
        "slots": {"preprocessing": made["output_features"][0]["preprocessing"], "max_sequence_length": length},
    }


def both(folder: Path, kind: str, padding: Padding, head: Head = HEAD) -> Both:
    """Return a tagger. kind: name of a tokenizer, or of MADE."""
    column, tokens = MADE.get(kind, ("text", None))
    tokenizer = kind if tokens is None else "space"
    write_bundle(
        folder, head, tokenizer=SPLITTING[tokenizer](), padding=padding, **({} if tokens is None else {kind: tokens})
    )
    made = config(tokenizer, padding, column=column)
    decoders = {"slots": SlotDecoder(head.labels)} if head.decoding == "viterbi" else {}
    stride = 1 if tokens is None else tokens.tokens_per_word
    return Both(Predictor(folder), made, taggers_of(made, metadata(made, LENGTH, stride), decoders))


@pytest.fixture(scope="module")
def every(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, Padding, bool], Both]:
    """Return every kind of tagger, by tokenizer, padding, and whether it is decoded."""
    folder = tmp_path_factory.mktemp("taggers")
    return {
        (kind, padding, decoded): both(
            folder / f"{kind}-{padding}-{decoded}", kind, padding, DECODED if decoded else HEAD
        )
        for kind in KINDS
        for padding in PADDINGS
        for decoded in (False, True)
    }


@pytest.mark.parametrize("decoded", [False, True], ids=["argmax", "viterbi"])
@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=25)
@given(text=TEXTS)
def test_scored_tags_equal_served_tags(
    every: dict[tuple[str, Padding, bool], Both], kind: str, padding: Padding, decoded: bool, text: str
) -> None:
    every[kind, padding, decoded].agree(text)


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=25)
@given(text=TEXTS, data=st.data())
def test_training_tags_are_read_back_at_their_words(
    every: dict[tuple[str, Padding, bool], Both], kind: str, padding: Padding, text: str, data: st.DataObject
) -> None:
    """A model that predicts its training tags is right on every word that does not share its first token."""
    found = every[kind, padding, False]
    words = text.split()
    tags = data.draw(st.lists(st.sampled_from(["O", "B-x", "I-x", "B-y"]), min_size=len(words), max_size=len(words)))
    rows = pd.DataFrame({"text": [text], "slots": [" ".join(tags)]})
    learned = ["<SOS>", *spread_tags(found.config, rows)["slots"][0].split(), "<EOS>"][:LENGTH]
    padded = ["<PAD>"] * (LENGTH - len(learned))
    learned = [*padded, *learned] if padding == "left" else [*learned, *padded]
    tagger = found.taggers["slots"]
    positions = tagger.positions(text)
    answer = {"slots_predictions": learned, "slots_probabilities": [0.5] * LENGTH}
    answered, _ = tagger.tagged(positions, answer)
    for word, position in enumerate(positions):
        if position is not None and position not in positions[:word]:
            assert answered[word] == tags[word]


def test_tags_other_than_bio_are_kept(tmp_path: Path) -> None:
    words = Head(name="slots", kind="sequence", words={"to": "PREP", "York": "NOUN"})
    found = both(tmp_path / "words", "space", "right", words)
    assert found.scored("to York now")[0] == ["PREP", "NOUN", "O"]
    found.agree("to York now")


@pytest.mark.parametrize(
    "changes", [{"max_sequence_length": 5}, {"preprocessing": {"padding": "left"}}], ids=["length", "padding"]
)
def test_tags_that_are_not_aligned_with_tokens_are_not_read_word_by_word(changes: dict[str, Any]) -> None:
    made = config("space", "right")
    found = metadata(made, LENGTH)
    found["slots"] |= changes
    assert taggers_of(made, found, {}) == {}


@pytest.mark.ludwig
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("padding", PADDINGS)
def test_subwords_are_scored_as_they_are_served(tmp_path: Path, padding: Padding) -> None:
    """Uses a Hugging Face tokenizer from a folder, as `fit` does."""
    from transformers import PreTrainedTokenizerFast

    PreTrainedTokenizerFast(
        tokenizer_object=word_piece(WORD_PIECES),
        unk_token="[UNK]",
        pad_token="[PAD]",
        cls_token="[CLS]",
        sep_token="[SEP]",
    ).save_pretrained(tmp_path / "pretrained")
    made = config("hf_tokenizer", padding, pretrained_model_name_or_path=str(tmp_path / "pretrained"))
    taggers = taggers_of(made, metadata(made, LENGTH), {})
    found = Both(Predictor(write_subword_bundle(tmp_path / "slots", padding=padding)), made, taggers)
    for text in ("  FLY to\tParis, páris New  york", "", "fly " * LENGTH, "\u200b paris \t new york!"):
        found.agree(text)


@pytest.mark.ludwig
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("padding", PADDINGS)
def test_the_text_can_be_any_input(padding: Padding, tmp_path: Path) -> None:
    """From training to the handler: the first input is a category, and the text's column has another name."""
    texts = ["fly to Paris now", "in  New York\ttoday", "hello there", "from Oslo please"]
    tags = ["O O B-city O", "O B-city I-city B-day", "O O", "O B-city O"]
    rows = pd.DataFrame({"channel": ["web", "app"] * 40, "words": texts * 20, "slots": tags * 20})
    preprocessing = {"tokenizer": "space_punct", "padding": padding}
    text = {"type": "text", "column": "words", "encoder": {"type": "rnn", "reduce_output": None}}
    made = {
        "input_features": [
            {"name": "channel", "type": "category"},
            {"name": "said", **text, "preprocessing": preprocessing},
        ],
        "output_features": [
            {
                "name": "slots",
                "type": "sequence",
                "preprocessing": {"tokenizer": "space", "padding": padding},
                "reduce_input": None,
                "decoder": {"type": "tagger"},
            }
        ],
        "combiner": {"type": "sequence_concat"},
        "trainer": {"epochs": 12, "batch_size": 8, "learning_rate": 0.01},
    }
    run = fit(made, rows.assign(split=[0] * 48 + [1] * 16 + [2] * 16), tmp_path / "run")
    assert run.metrics["slots"]["slot_f1"] > 0.9
    assert not {"sequence_accuracy", "perplexity"} & run.metrics["slots"].keys()
    metrics, records = read_evaluation(run.folder / "evaluation")
    assert (metrics["inputs"], metrics["text"]) == (["channel", "words"], "words")
    export_model(load_model(run.folder), tmp_path / "bundle", dataset=rows)
    service = Service({"slots": Predictor(tmp_path / "bundle")}, Settings(bundles=(), open=True))
    for record in records:
        answer = service.predict({"channel": record["channel"], "words": record["words"]}).answer["slots"]
        served = answer["predictions"]["slots_predictions"][1:-1]
        scored = iter(record["slots_predictions"].split())
        for piece, tag in zip(record["words"].split(" "), served, strict=True):
            words = [next(scored) for _ in piece.split()]
            assert tag == (words[0] if words else "O")
