"""Clean the labels of a dataset the way Ludwig does, so that they compare equal to a model's answers.

Ludwig strips white space around category labels and splits tags at spaces. A model answers with the cleaned label, so
a row with the original white space would count as wrong. Import, `fit`, evaluation and export therefore clean labels
here before they compare them.

Source: `create_vocabulary_single_token` in `ludwig.utils.strings_utils`, `CategoryFeatureMixin.feature_data`, and the
tokenizer `space` of sequences and sets. Binary labels are compared unchanged: Ludwig treats "yes " as a third value.
"""

import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from export.console import say
from export.features import column_of

if TYPE_CHECKING:
    import pandas as pd

SHOWN = 80
"""Maximum number of characters of a label in a message."""
SEPARATORS = str.maketrans("-_", "  ")


def clean_label(label: str) -> str:
    """Return a label without the white space around it; "" is a missing label."""
    return label.strip()


def clean_tags(tags: str) -> str:
    """Return the labels of a sequence joined by single spaces; "" is a missing sequence."""
    return " ".join(tags.split())


def clean_labels(rows: "pd.DataFrame", config: Mapping[str, Any]) -> "pd.DataFrame":
    """Return rows with clean labels, and print what changed.

    Args:
        rows: A dataset whose labels are text, as `export.rows.readable_rows` returns it.
        config: A configuration; its output features name the label columns. Missing columns are skipped.

    Returns:
        The rows. A blank label becomes None.
    """
    for feature in config["output_features"]:
        column = column_of(feature)
        if column in rows:
            clean = clean_tags if feature["type"] in ("sequence", "text") else clean_label
            rows = _cleaned(rows, column, clean)
    return rows


def near_equal(labels: Iterable[str]) -> list[list[str]]:
    """Return groups of labels that differ only in case, Unicode normalization or separators.

    Examples: `Greet` and `greet`; `café` with a composed and a decomposed accent; `book_hotel` and `book hotel`.

    Args:
        labels: Distinct labels.

    Returns:
        Groups of two or more labels.
    """
    groups: dict[str, list[str]] = defaultdict(list)
    for label in labels:
        folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", label).casefold())
        groups[" ".join(folded.translate(SEPARATORS).split())].append(label)
    return [group for group in groups.values() if len(group) > 1]


def _cleaned(rows: "pd.DataFrame", column: str, clean: Callable[[str], str]) -> "pd.DataFrame":
    """Return rows with one column cleaned, or the same rows if there is nothing to change."""
    import pandas as pd

    cells = rows[column].astype(object)
    values: list[Any] = cells.where(cells.notna(), None).tolist()
    found = [clean(value) if isinstance(value, str) else value for value in values]
    changed = [(one, other) for one, other in zip(values, found, strict=True) if one is not other and one != other]
    trimmed = [one for one, other in changed if other]
    if trimmed:
        say(f"{column!r}: removed extra white space in {len(trimmed)} rows, such as {trimmed[0][:SHOWN]!r}.")
    if blank := len(changed) - len(trimmed):
        say(f"{column!r}: {blank} rows contain only white space, which counts as a missing label.")
    if not changed:
        return rows
    return rows.assign(**{column: pd.Series([None if v == "" else v for v in found], index=rows.index, dtype=object)})
