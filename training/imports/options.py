"""The options of an import."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class ImportOptions:
    """The options of an import.

    Attributes:
        language: The language code for rows without one.
        split: Fractions of train, validation and test; "" keeps the split of the files, or else uses the default; None
            writes no split.
        validation: Files with rows only for validation.
        test: Files with rows only for the test.
        seed: The random seed of the split.
        keep_none: Whether the intent `none` is a class.
        drop_duplicates: Whether only the first of identical rows is kept.
        slots: Columns or entities to treat as slots.
        traits: Columns or entities to treat as traits.
        ignored: Columns or entities to leave out.
        columns: The dataset's column name, by the file's column name.
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
