"""What a user decides about an import."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class ImportOptions:
    """What the user decides about an import.

    Attributes:
        language: Code for rows that give none.
        split: Fractions of train, validation and test; "" keeps the files' own split, or else takes the default; None
            writes no split.
        validation: Files whose rows are all for validation.
        test: Files whose rows are all for the test.
        seed: Of the split.
        keep_none: Whether the intent `none` is a class.
        drop_duplicates: Whether only the first of identical rows is kept.
        slots: Columns or entities that are slots, whatever the rows look like.
        traits: Columns or entities that are traits, whatever the rows look like.
        ignored: Columns or entities that are left out.
        columns: The dataset's name for a column, by the file's.
        header: Whether the first line of a CSV names its columns.
    """

    language: str = ""
    split: str | None = ""
    validation: tuple[Path, ...] = ()
    test: tuple[Path, ...] = ()
    seed: int = 42
    keep_none: bool = False
    drop_duplicates: bool = False
    slots: frozenset[str] = frozenset()
    traits: frozenset[str] = frozenset()
    ignored: frozenset[str] = frozenset()
    columns: Mapping[str, str] = field(default_factory=dict)
    header: bool = True
