"""Labels as Ludwig reads them."""

from typing import Any

import pandas as pd
import pytest

from export.labels import clean_label, clean_labels, clean_tags, near_equal


def config(kind: str) -> dict[str, Any]:
    return {"output_features": [{"name": "label", "type": kind}]}


@pytest.mark.parametrize("kind", ["category", "set", "binary", "number"])
def test_white_space_around_a_label_is_removed_and_reported(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    rows = pd.DataFrame({"label": [" 1", "2\n", "\u00a03", "4 5", " ", "", None]})
    cleaned = clean_labels(rows, config(kind))
    assert cleaned["label"].tolist() == ["1", "2", "3", "4 5", None, None, None]
    assert capsys.readouterr().err == (
        "'label': removed extra white space in 3 rows, such as ' 1'.\n"
        "'label': 1 rows contain only white space, which counts as a missing label.\n"
    )
    assert rows["label"][0] == " 1"


def test_tags_are_separated_by_single_spaces(capsys: pytest.CaptureFixture[str]) -> None:
    cleaned = clean_labels(pd.DataFrame({"label": ["O  B-x\tO ", "O O", " "]}), config("sequence"))
    assert cleaned["label"].tolist() == ["O B-x O", "O O", None]
    assert "in 1 rows, such as 'O  B-x\\tO '." in capsys.readouterr().err


def test_clean_labels_are_unchanged_without_a_message(capsys: pytest.CaptureFixture[str]) -> None:
    rows = pd.DataFrame({"label": ["a", "b"], "other": [" x", " y"]})
    assert clean_labels(rows, config("category")) is rows
    assert clean_labels(rows, config("sequence")) is rows
    assert clean_labels(rows[["other"]], config("category"))["other"].tolist() == [" x", " y"]
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("labels", "groups"),
    [
        (["Greet", "greet", "bye"], [["Greet", "greet"]]),
        (["caf\u00e9", "cafe\u0301", "cafe"], [["caf\u00e9", "cafe\u0301"]]),
        (["book_hotel", "book hotel", "book-hotel", "bookhotel"], [["book_hotel", "book hotel", "book-hotel"]]),
        (["ＯＫ", "ok", "Straße", "STRASSE"], [["ＯＫ", "ok"], ["Straße", "STRASSE"]]),
        (["a", "b"], []),
    ],
    ids=["case", "composition", "separators", "width", "none"],
)
def test_nearly_equal_labels_are_grouped(labels: list[str], groups: list[list[str]]) -> None:
    assert near_equal(labels) == groups


@pytest.mark.ludwig
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("label", [" a", "a ", "\ta\n", "\u00a0a", "a  b", "A", "e\u0301", "\u3000a", "\x1fa"])
def test_labels_are_cleaned_as_in_ludwig(label: str) -> None:
    """Categories are stripped and tags are split at spaces; letters and inner white space do not change."""
    from ludwig.backend import LocalBackend
    from ludwig.features.category_feature import CategoryFeatureMixin
    from ludwig.utils.tokenizers import get_tokenizer_from_registry

    column = pd.Series([label, "other"], dtype=object, name="label")
    found = CategoryFeatureMixin.get_feature_meta({}, column, {"most_common": 9}, LocalBackend(), False)
    assert set(found["idx2str"]) == {clean_label(label), "other"}
    tags = " ".join(["B-x", label, "O "])
    assert get_tokenizer_from_registry("space")()(clean_tags(tags)) == tags.split()
