"""Write reviewed messages as Hexabot's CSV of samples, which its NLU page imports."""

from collections.abc import Sequence
from pathlib import Path

from training.errors import ReviewError
from training.imports.examples import INTENT, LANGUAGE, TEXT
from training.imports.writing import write_table
from training.review.journal import Decision


def write_hexabot(output: Path, decisions: Sequence[Decision]) -> None:
    """Write the labeled messages with a column for each slot, as Hexabot imports and exports them.

    Hexabot finds a value by searching it in the text. A cell has one value, so that of two slots with one name in a
    message, the first remains.

    Args:
        output: The file, which ends in .csv.
        decisions: All decisions that hold.

    Raises:
        DatasetError: The file cannot be written.
        ReviewError: A slot has the name of another column.
    """
    labeled = [decision for decision in decisions if decision.kind == "label"]
    slots = sorted({mark.name for decision in labeled for mark in decision.marks or ()})
    names = [TEXT, INTENT, LANGUAGE]
    if taken := [name for name in slots if name in names]:
        raise ReviewError(f"A slot is named {taken[0]!r}, as a column of Hexabot's CSV is: give it another name.")
    rows = []
    for decision in labeled:
        values: dict[str, str] = {}
        for mark in decision.marks or ():
            values.setdefault(mark.name, decision.text[mark.start : mark.end])
        rows.append([decision.text, decision.intent, decision.language, *(values.get(name, "") for name in slots)])
    write_table(output, [*names, *slots], rows)
