"""The handler reads texts as fastText does; `export.language.reference` computes the ids in another way."""

from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from export.edge_cases import ODD_TEXTS
from export.language.ftz import read_ftz
from export.language.reference import expected_ids
from handler.errors import RequestError
from handler.fasttext import LONGEST, FastTextEncoder, FastTextInput, read_text, words_of
from handler.tensor import Tensor

MODEL = read_ftz(Path(__file__).parents[1] / "export" / "language" / "tiny.ftz")
FEATURE = FastTextInput(
    name="text",
    column="text",
    file="v.json",
    shortest=MODEL.shortest,
    longest=MODEL.longest,
    buckets=MODEL.bucket_count,
)


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> FastTextEncoder:
    folder = tmp_path_factory.mktemp("bundle")
    (folder / "v.json").write_bytes(msgspec.json.encode({"words": MODEL.words, "buckets": MODEL.buckets}))
    return FEATURE.encoder(folder)


def unpadded(row: Tensor) -> list[int]:
    return [each for each in row.tolist() if each != len(MODEL.norms)]


@pytest.mark.parametrize("text", [*ODD_TEXTS.values(), "a </s> b", "</s>", "__label__en turn", "x\x0by\x0cz\0ok"])
def test_edge_cases_have_the_ids_of_fasttext(encoder: FastTextEncoder, text: str) -> None:
    assert unpadded(encoder.encode([text])[0]) == expected_ids(MODEL, [read_text(text, FEATURE)])[0]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.text(), min_size=1, max_size=3))
def test_any_texts_have_the_ids_of_fasttext(encoder: FastTextEncoder, texts: list[str]) -> None:
    texts = [text.encode("utf-8", "ignore").decode() for text in texts]
    found = encoder.encode(texts)
    assert found.dtype == "int32"
    assert [unpadded(row) for row in found] == expected_ids(MODEL, [read_text(text, FEATURE) for text in texts])


def test_a_known_text_has_words_and_n_grams(encoder: FastTextEncoder) -> None:
    assert list(words_of("turn on\tthe light")) == ["turn", "on", "the", "light", "</s>"]
    ids = unpadded(encoder.encode(["the"])[0])
    assert MODEL.words.index("the") in ids
    assert MODEL.words.index("</s>") in ids
    assert sum(each >= len(MODEL.words) for each in ids) >= 3


def test_texts_are_lowercased_and_truncated(encoder: FastTextEncoder) -> None:
    assert encoder.encode(["TURN ON"]).tolist() == encoder.encode(["turn on"]).tolist()
    assert read_text("x" * 5000, FEATURE) == "x" * LONGEST


def test_a_missing_text_is_empty_and_a_number_is_refused(encoder: FastTextEncoder) -> None:
    assert encoder.encode([None]).tolist() == encoder.encode([""]).tolist()
    with pytest.raises(RequestError, match="'text' must be a string, found int"):
        encoder.encode([3])
