"""Sum up how often a shadow agreed with the live bundle: from the service's log, or from captured messages."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import msgspec

from handler.captured import decode_messages, shadow_name
from handler.golden import SEAL_DIGITS

MOST_PAIRS = 10
"""The number of disagreements to list."""


class Pair(NamedTuple):
    """Different answers to an output: the labels of the live bundle and of the shadow. None: it withheld its label."""

    output: str
    live: str | None
    shadow: str | None


class Agreement(NamedTuple):
    """How often a shadow agreed with the live bundle.

    Attributes:
        agreements: The number of outputs with the same answer.
        disagreements: The number of outputs with different answers.
        pairs: The different answers, and how often each occurred.
    """

    agreements: int
    disagreements: int
    pairs: Counter[Pair]


class _Answer(msgspec.Struct):
    output: str
    live: str | None
    shadow: str | None
    agrees: bool
    count: int


class _Line(msgspec.Struct):
    """The fields of a line about a shadow; see `handler.shadow`."""

    model: str
    shadow: str
    answers: list[_Answer]


def agreement_in_log(lines: Iterable[str], model: str, seal: str) -> Agreement:
    """Sum up the lines of a log about one shadow. Other lines are skipped.

    Args:
        lines: The service's log. Each line may have a prefix before its JSON, such as a time.
        model: The model's name.
        seal: The seal of the shadow.

    Returns:
        The sums.
    """
    decoder = msgspec.json.Decoder(_Line)
    counted: Counter[bool] = Counter()
    pairs: Counter[Pair] = Counter()
    for line in lines:
        if '"message":"shadow"' not in line.replace(": ", ":"):
            continue
        try:
            found = decoder.decode(line[line.index("{") :])
        except (msgspec.DecodeError, ValueError):
            continue
        if (found.model, found.shadow) != (model, seal[:SEAL_DIGITS]):
            continue
        for answer in found.answers:
            counted[answer.agrees] += answer.count
            if not answer.agrees:
                pairs[Pair(answer.output, answer.live, answer.shadow)] += answer.count
    return Agreement(counted[True], counted[False], pairs)


def captured_disagreements(folder: str, seal: str) -> Counter[Pair]:
    """Count the captured messages about which a shadow disagrees.

    Args:
        folder: A folder of captured messages, or a copy of their S3 prefix.
        seal: The seal of the shadow.

    Returns:
        The different labels, and how many messages have each.
    """
    pairs: Counter[Pair] = Counter()
    for path in sorted(Path(folder).rglob("*.jsonl")):
        for message in decode_messages(path.read_bytes()):
            if isinstance(message, int):
                continue
            for name, live in message.models.items():
                shadow = message.models.get(shadow_name(name))
                if shadow is not None and shadow.seal == seal and live.label != shadow.label:
                    pairs[Pair(live.output, live.label, shadow.label)] += 1
    return pairs


def described(found: Agreement) -> str:
    """Format an agreement for people.

    Args:
        found: The sums.

    Returns:
        The share of equal answers, and the most frequent different ones, one on each line.
    """
    total = found.agreements + found.disagreements
    if not total:
        return "The log has no comparison of this shadow: check NLU_SHADOW_SAMPLE, or whether it is another one's log."
    first = f"{found.agreements} of {total} answers agree ({100 * found.agreements / total:.1f} %)."
    return "\n".join([first, *_listed(found.pairs)])


def described_captured(pairs: Counter[Pair], folder: str) -> str:
    """Format the disagreements in captured messages for people.

    Args:
        pairs: The different labels, and how many messages have each.
        folder: The folder of the messages.

    Returns:
        The most frequent ones, one on each line, and how to see the messages.
    """
    if not pairs:
        return f"{folder} has no message about which this shadow disagrees."
    first = f"{pairs.total()} captured messages with different labels; `ludwig-serverless review {folder}` shows them."
    return "\n".join([first, *_listed(pairs)])


def _listed(pairs: Counter[Pair]) -> list[str]:
    lines = [
        f"  {count:>6}  {pair.output}: {_named(pair.live)} -> {_named(pair.shadow)}"
        for pair, count in pairs.most_common(MOST_PAIRS)
    ]
    more = len(pairs) - MOST_PAIRS
    return [*lines, *([f"  and {more} more kinds of disagreement"] if more > 0 else [])]


def _named(label: str | None) -> str:
    return "(unsure)" if label is None else label or "(none)"
