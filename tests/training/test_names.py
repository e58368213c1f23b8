"""Names that Ludwig or torch cannot handle are rejected before training starts."""

import string
from typing import Any

import pytest

from training.errors import ConfigError
from training.names import REPLACED, check_names
from training.schema import check_shape


def config(name: Any = "intent", column: Any = None, *, text: Any = "text") -> dict[str, Any]:
    output = {"name": name, "type": "category", **({} if column is None else {"column": column})}
    return {"input_features": [{"name": text, "type": "text"}], "output_features": [output]}


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (
            config("user.intent"),
            r"The name 'user.intent' has \., which Ludwig replaces: rename .* for example to 'user_intent'\.",
        ),
        (config("nlu:intent"), "The name 'nlu:intent' has :, which Ludwig replaces"),
        (config("intent (en)"), r"has \( \), which Ludwig replaces: .* for example to 'intent_en'\."),
        (config("..."), r"for example to 'feature'\."),
        (
            config(column="user.intent"),
            "The column 'user.intent' has ., which Ludwig replaces: rename the column, for example to",
        ),
        (config(text="a.b+affixes24"), "The name 'a.b"),
        (config(0), "`name: 0`, which YAML reads as int: put it in quotes"),
        (config(True), "`name: True`, which YAML reads as bool"),
        (config(" "), "a blank name"),
        (config(column=""), "a blank column"),
        (config(column=1), "`column: 1`, which YAML reads as int"),
        (config(text="0"), "The input '0' is named with a number.* `name: input_0` and `column: '0'`"),
        (config("split"), "'split' reads the column 'split', which assigns rows"),
        (config(column="split"), "'intent' reads the column 'split'"),
    ],
)
def test_an_unusable_name_is_rejected(made: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        check_shape(made)


@pytest.mark.parametrize("name", ["0", "0a", "type", "a b", "é", "forward", "a/b", "a_probability", "__x", "x" * 300])
def test_other_names_are_accepted(name: str) -> None:
    """Each of these names has been trained, exported and served."""
    check_names(config(name))


@pytest.mark.ludwig
@pytest.mark.filterwarnings("ignore")
def test_ludwig_replaces_these_characters_and_no_others() -> None:
    from ludwig.utils.data_utils import get_sanitized_feature_name

    for character in (*string.printable, "é", "\u00a0", "·", "：", "（"):
        assert (get_sanitized_feature_name(character) != character) == bool(REPLACED.search(character)), character
