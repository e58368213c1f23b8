"""A fastText model of this repository's demo (dim 8, hierarchical softmax, quantized), and fastText's own answers.

`answers.json` contains the probabilities that fasttext-predict 0.9.2.4 returns for `ar`, `en` and `fr`.
"""

import json
from pathlib import Path

import msgspec
import numpy as np
import pytest

from export.errors import ModelError
from export.language.ftz import read_ftz
from export.language.graph import LEAST, write_graph
from handler.fasttext import FastTextInput
from handler.graph import OnnxGraph

TINY = Path(__file__).parent / "tiny.ftz"
ANSWERS = json.loads((Path(__file__).parent / "answers.json").read_text(encoding="utf-8"))
LANGUAGES = ["ar", "en", "fr"]


@pytest.mark.parametrize("languages", [LANGUAGES, ["fr", "en"]])
def test_the_graph_answers_as_fasttext_did(tmp_path: Path, languages: list[str]) -> None:
    model = read_ftz(TINY)
    graph = write_graph(model, languages, tmp_path, text="text", output="language")
    (tmp_path / "v.json").write_bytes(msgspec.json.encode({"words": model.words, "buckets": model.buckets}))
    sizes = {"shortest": model.shortest, "longest": model.longest, "buckets": model.bucket_count}
    encoder = FastTextInput(name="text", column="text", file="v.json", **sizes).encoder(tmp_path)
    found = OnnxGraph(tmp_path / graph.file).run({"text": encoder.encode(list(ANSWERS))})
    expected = np.array(list(ANSWERS.values()))[:, [LANGUAGES.index(language) for language in languages]] + LEAST
    expected /= expected.sum(axis=1, keepdims=True)
    assert len(expected) == 95
    np.testing.assert_allclose(found["language::probabilities"], expected, atol=1e-5)
    assert found["language::predictions"].tolist() == expected.argmax(axis=1).tolist()


def test_every_label_has_its_own_path() -> None:
    left, right = read_ftz(TINY).paths()
    turns = {tuple(column) for column in (right - left).T.tolist()}
    assert len(turns) == len(LANGUAGES)
    assert ((left + right) <= 1).all()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is truncated or not a fastText model"),
        (b"\0" * 100, "is not a fastText model of version 12"),
        (TINY.read_bytes()[:5000], "is truncated or not a fastText model"),
        (TINY.read_bytes()[:-100], "is truncated or not a fastText model"),
        (TINY.read_bytes()[:32] + b"\3" + TINY.read_bytes()[33:], "is another kind of fastText model"),
    ],
    ids=["empty", "zeros", "no vectors", "no end", "softmax"],
)
def test_other_files_are_refused(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "model.ftz"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=message):
        read_ftz(path)


def test_a_missing_file_is_reported(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"nothing\.ftz cannot be read: No such file"):
        read_ftz(tmp_path / "nothing.ftz")
