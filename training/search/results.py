"""The results of a search: `trials.json` in its folder, rewritten atomically after each trial.

settings     what determines the trials; a search resumes only with the same settings
output, metric, goal
rows, folds  number of rows that may be answered, and of folds
trials       the trials in the order of their numbers; the others are missing, so a killed search repeats them
    number       0 is the configuration as it is
    parameters   its values
    state        complete, pruned (stopped early) or failed
    score        the metric on the answered rows; null if it failed
    scores       the metric after each fold, on all rows answered so far
    seconds      duration of all its trainings
    right        one character per answered row: 1 if the answer is right
    error        why it failed; ""
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from training.errors import TrainingError
from training.evaluation.compared import chance
from training.whole_files import write_whole

TRIALS, BEST, REPORT = "trials.json", "best.yaml", "report.html"
COMPLETE, PRUNED, FAILED = "complete", "pruned", "failed"


@dataclass
class TrialResult:
    """A trial, as trials.json stores it; the module's docstring describes its fields."""

    number: int
    parameters: dict[str, Any]
    state: str = COMPLETE
    score: float | None = None
    scores: list[float] = field(default_factory=list)
    seconds: float = 0.0
    right: str = ""
    error: str = ""


@dataclass
class Results:
    """All trials of a search."""

    settings: dict[str, Any]
    output: str
    metric: str
    goal: str
    rows: int
    folds: int
    trials: list[TrialResult] = field(default_factory=list)

    def add(self, trial: TrialResult) -> None:
        """Add a finished trial."""
        self.trials = sorted([*self.trials, trial], key=lambda each: each.number)

    @property
    def ranked(self) -> list[TrialResult]:
        """The trials: complete ones from the best to the worst, then those that stopped early, then failed ones.

        Equal trials keep the order of their numbers, so the configuration itself wins a tie.
        """
        states, sign = (COMPLETE, PRUNED, FAILED), -1 if self.goal == "maximize" else 1
        return sorted(self.trials, key=lambda each: (states.index(each.state), sign * (each.score or 0.0)))

    @property
    def best(self) -> TrialResult | None:
        """The best complete trial; None if there is none."""
        return next((trial for trial in self.ranked if trial.state == COMPLETE), None)

    @property
    def own(self) -> TrialResult | None:
        """The trial of the configuration itself, if it is complete."""
        return next((each for each in self.trials if each.number == 0 and each.state == COMPLETE), None)

    def luck(self, trial: TrialResult) -> float | None:
        """Return how often two equally good models would differ as much as a trial and the configuration itself."""
        if self.own is None or len(self.own.right) != len(trial.right):
            return None
        pairs = list(zip(self.own.right, trial.right, strict=True))
        return chance(pairs.count(("0", "1")), pairs.count(("1", "0")))

    def shown(self, score: float | None) -> str:
        """Return a score as readable text."""
        if score is None:
            return "–"
        return f"{score:.4f}" if self.metric == "loss" else f"{score:.1%}"

    def write(self, folder: Path) -> None:
        """Write trials.json into a folder."""
        folder.mkdir(parents=True, exist_ok=True)
        content = json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n"
        write_whole(folder / TRIALS, content.encode("utf-8", errors="backslashreplace"))


def read_results(folder: Path) -> Results | None:
    """Read the results of a search; None if the folder has none.

    Raises:
        TrainingError: The file cannot be read.
    """
    path = folder / TRIALS
    if not path.exists():
        return None
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return Results(**{**found, "trials": [TrialResult(**each) for each in found["trials"]]})
    except (OSError, ValueError, TypeError, KeyError):
        raise TrainingError(
            f"{path} is not readable as the trials of a search: choose another folder with --output, or replace it "
            "with --force."
        ) from None


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> Sequence[str]:
    """Return the names of the settings in which two searches differ."""
    return [name for name in {**before, **now} if before.get(name) != now.get(name)]
