"""Labels of a dataset, written as Ludwig reads them.

Ludwig drops white space around the label of a category, and takes tags apart at spaces. What it leaves of a label is
what a model answers, so rows that keep the white space count as wrong. Import, `fit`, evaluation and export therefore
clean labels here, before they compare them.

Source: `create_vocabulary_single_token` in `ludwig.utils.strings_utils`, `CategoryFeatureMixin.feature_data`, and the
tokenizer `space` of sequences and sets. Truth values are compared as they are: Ludwig takes "yes " for a third one.
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
"""Characters of a label that a message quotes."""
SEPARATORS = str.maketrans("-_", "  ")


def clean_label(label: str) -> str:
    """Return a label without the white space around it; "" is a missing label."""
    return label.strip()


def clean_tags(tags: str) -> str:
    """Return the labels of a sequence with single spaces between; "" is a missing sequence."""
    return " ".join(tags.split())


def clean_labels(rows: "pd.DataFrame", config: Mapping[str, Any]) -> "pd.DataFrame":
    """Return rows with clean labels, and say what was changed.

    Args:
        rows: A dataset whose labels are text, as `export.rows.readable_rows` makes them.
        config: A configuration, whose output features name the columns; those that the rows lack are left out.

    Returns:
        The rows. A blank label is None.
    """
    for feature in config["output_features"]:
        column = column_of(feature)
        if column in rows:
            clean = clean_tags if feature["type"] in ("sequence", "text") else clean_label
            rows = _cleaned(rows, column, clean)
    return rows


def near_equal(labels: Iterable[str]) -> list[list[str]]:
    """Return the groups of labels that differ only in case, in the encoding of characters, or in separators.

    Examples: `Greet` and `greet`; `café` with a composed and with a decomposed accent; `book_hotel` and `book hotel`.
    """
    groups: dict[str, list[str]] = defaultdict(list)
    for label in labels:
        folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", label).casefold())
        groups[" ".join(folded.translate(SEPARATORS).split())].append(label)
    return [group for group in groups.values() if len(group) > 1]


def _cleaned(rows: "pd.DataFrame", column: str, clean: Callable[[str], str]) -> "pd.DataFrame":
    """Return rows with one clean column; the same rows if nothing is to be changed."""
    import pandas as pd

    cells = rows[column].astype(object)
    values: list[Any] = cells.where(cells.notna(), None).tolist()
    found = [clean(value) if isinstance(value, str) else value for value in values]
    changed = [(one, other) for one, other in zip(values, found, strict=True) if one is not other and one != other]
    trimmed = [one for one, other in changed if other]
    if trimmed:
        say(f"{column!r}: dropped needless white space in {len(trimmed)} rows, such as {trimmed[0][:SHOWN]!r}.")
    if blank := len(changed) - len(trimmed):
        say(f"{column!r}: {blank} rows hold only white space, which counts as no label.")
    if not changed:
        return rows
    return rows.assign(**{column: pd.Series([None if v == "" else v for v in found], index=rows.index, dtype=object)})
