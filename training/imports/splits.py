"""Split rows into train, validation and test: every intent in every part, and near-duplicates in the same part."""

import random
from collections import Counter, defaultdict
from collections.abc import Sequence

from training.dataset import TEST, TRAIN, VALIDATION, text_key
from training.errors import DatasetError
from training.imports.examples import Example

PARTS = (TRAIN, VALIDATION, TEST)
NAMES = {
    "train": TRAIN,
    "training": TRAIN,
    "valid": VALIDATION,
    "validation": VALIDATION,
    "dev": VALIDATION,
    "test": TEST,
}
Group = list[int]


def read_fractions(given: str) -> tuple[float, ...]:
    """Parse fractions such as "0.8,0.1,0.1". Raises DatasetError unless there are three with a sum of 1."""
    try:
        fractions = tuple(float(part) for part in given.split(","))
    except ValueError:
        fractions = ()
    if len(fractions) != len(PARTS) or not abs(sum(fractions) - 1) < 1e-6 or min(fractions) < 0 or not fractions[TRAIN]:
        raise DatasetError(
            f"--split is {given!r}; expected fractions of train, validation and test with a sum of 1, "
            "such as 0.8,0.1,0.1."
        )
    return fractions


def own_splits(examples: Sequence[Example]) -> list[int] | None:
    """Return the splits in the files, or None if they are incomplete.

    They are complete if every row has one, with at least one train and one validation row. A whole file without a
    split, such as one of reviewed messages, joins the train rows of the others: test rows stay the same, so that
    results before and after compare.

    Args:
        examples: The rows of all files.

    Returns:
        0, 1 or 2 for each row.
    """
    numbers = {str(part): part for part in PARTS} | NAMES
    splits = [numbers.get(example.split.casefold()) if example.part is None else example.part for example in examples]
    if all(example.part is None for example in examples):
        with_split = {example.place for example in examples if example.split}
        splits = [
            TRAIN if example.place not in with_split else split for example, split in zip(examples, splits, strict=True)
        ]
    known = [split for split in splits if split is not None]
    return known if len(known) == len(splits) and {TRAIN, VALIDATION} <= set(known) else None


def spread(
    examples: Sequence[Example], fractions: Sequence[float], seed: int, *, validated: bool = False
) -> list[int] | None:
    """Return the split of each row: by intent, or else by language, with duplicates and templates kept together.

    Args:
        examples: Rows with their labels.
        fractions: The fractions of train, validation and test.
        seed: The random seed.
        validated: Whether other rows exist for validation.

    Returns:
        0, 1 or 2 for each row; None if the rows are too similar to set any aside for validation.
    """
    strata: dict[str, list[Group]] = defaultdict(list)
    for group in groups(examples):
        strata[_stratum(examples, group)].append(group)
    generator = random.Random(seed)
    splits, totals = [TRAIN] * len(examples), [0.0] * len(PARTS)
    for label in sorted(strata):
        for group, part in _dealt(strata[label], fractions, totals, generator):
            for position in group:
                splits[position] = part
    _fill_empty_parts(splits, list(strata.values()), fractions)
    return splits if validated or VALIDATION in splits else None


def spread_rest(examples: Sequence[Example], fractions: Sequence[float], seed: int) -> list[int]:
    """Return the split of each row if validation, test or both have their own files.

    Args:
        examples: The rows. Rows whose `part` is None are spread over train and the parts without a file.
        fractions: The fractions of train, validation and test; those of parts with a file are ignored.
        seed: The random seed.

    Returns:
        0, 1 or 2 for each row.

    Raises:
        DatasetError: No row is left for training or for validation.
    """
    given = {example.part for example in examples}
    rest = [example for example in examples if example.part is None]
    kept = [0.0 if part in given else fraction for part, fraction in zip(PARTS, fractions, strict=True)]
    total = sum(kept)
    dealt = iter(spread(rest, [fraction / total for fraction in kept], seed, validated=VALIDATION in given) or ())
    splits = [next(dealt, -1) if example.part is None else example.part for example in examples]
    if TRAIN not in splits:
        raise DatasetError(
            f"The {len(rest)} training rows are too few or too similar to set some aside for validation: pass a file "
            "with other rows as --validation FILE."
        )
    return splits


def groups(examples: Sequence[Example]) -> list[Group]:
    """Group rows with the same text, or the same text except for slot values.

    Args:
        examples: The rows.

    Returns:
        The positions of each group's rows. Each row is in exactly one group.
    """
    group_of: dict[str, Group] = {}
    for position, example in enumerate(examples):
        keys = ("text " + text_key(example.text), "template " + template(example))
        found = [group_of[key] for key in keys if key in group_of]
        group = max(found, key=len, default=[])
        for other in found:
            if other is not group:
                group += other
                group_of.update((key, group) for member in other for key in _keys(examples[member]))
        group.append(position)
        group_of.update((key, group) for key in keys)
    return list({id(group): group for group in group_of.values()}.values())


def template(example: Example) -> str:
    """Return an example's text with the name of each slot instead of its value."""
    if "-" not in example.tags:
        return text_key(example.text)
    pairs = zip(example.text.casefold().split(), example.tags.split(), strict=False)
    return " ".join(word if tag == "O" else f"{{{tag[2:]}}}" for word, tag in pairs if not tag.startswith("I-"))


def _keys(example: Example) -> tuple[str, str]:
    return "text " + text_key(example.text), "template " + template(example)


def _stratum(examples: Sequence[Example], group: Group) -> str:
    labels = Counter(examples[position].intent or examples[position].language for position in group)
    return labels.most_common(1)[0][0]


def _dealt(
    stratum: list[Group], fractions: Sequence[float], totals: list[float], generator: random.Random
) -> list[tuple[Group, int]]:
    """Assign each group to the part that lacks the most rows; the largest groups go first.

    `totals` is the number of rows that each part lacks over all strata so far. It breaks ties, and is updated in place.
    """
    generator.shuffle(stratum)
    stratum.sort(key=len, reverse=True)
    size = sum(map(len, stratum))
    lacking = [fraction * size for fraction in fractions]
    totals[:] = [total + lack for total, lack in zip(totals, lacking, strict=True)]
    dealt = []
    for group in stratum:
        part = max((p for p in PARTS if fractions[p]), key=lambda p: (round(lacking[p], 6), totals[p]))
        lacking[part] -= len(group)
        totals[part] -= len(group)
        dealt.append((group, part))
    return dealt


def _fill_empty_parts(splits: list[int], strata: Sequence[list[Group]], fractions: Sequence[float]) -> None:
    """Move the smallest groups out of training if a part has no row."""
    for part in (VALIDATION, TEST):
        if fractions[part] and part not in splits:
            candidates = [group for stratum in strata for group in stratum if splits[group[0]] == TRAIN]
            if len(candidates) > 1:
                for position in min(candidates, key=len):
                    splits[position] = part
