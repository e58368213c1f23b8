"""Candidates, compared in rounds: each round, those that are left answer one more fold.

After each round the candidates that are clearly worse leave, and no round begins that the budget cannot pay. What was
found is one JSON object, in training.json and metrics.json under `choice`:

    learn        what is learned
    prefer       balanced, fast or accurate
    measure      accuracy, or slot F1
    rows         how many were answered
    candidates   name, score, rows (answered), rounds, seconds (of one training, without the baseline's), note, by score
    winner       its name
    reason       why it won, in words
    left         candidates that were not tried, and why
"""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import eq
from typing import Any

from export.console import say
from training.choice.candidates import Candidate, Prefer
from training.choice.folds import Fold
from training.choice.trials import Trial
from training.evaluation.metrics import slot_metrics

Try = Callable[[Candidate, int], Trial]
"""Tries a candidate on the fold of this number."""
CLEARLY = 2.0
"""Standard deviations by which a candidate must be behind to leave."""
TIE = 0.5
"""Standard deviations within which the lighter candidate wins, unless accuracy is preferred."""
MINUTE = 60.0


@dataclass
class Contender:
    """A candidate, and its trials so far."""

    candidate: Candidate
    trials: list[Trial] = field(default_factory=list)
    note: str = ""

    @property
    def records(self) -> list[dict[str, Any]]:
        """The answers of all rounds."""
        return [record for trial in self.trials for record in trial.records]

    @property
    def seconds(self) -> float:
        """How long its slowest trial took."""
        return max([trial.seconds for trial in self.trials], default=0.0)

    def right(self, rounds: int) -> list[bool]:
        """Tell for each row of the first rounds whether it was answered without a mistake."""
        name = self.candidate.learns
        records = [record for trial in self.trials[:rounds] for record in trial.records]
        return [record[name] == record[f"{name}_predictions"] for record in records]

    @property
    def score(self) -> float:
        """Accuracy, or F1 of whole slots."""
        name, records = self.candidate.learns, self.records
        expected, found = ([record[column] for record in records] for column in (name, f"{name}_predictions"))
        if name == "slots":
            return float(slot_metrics(expected, found)["f1"])
        return float(sum(map(eq, expected, found)) / len(records))


def compare(
    candidates: Sequence[Candidate], folds: Sequence[Fold], attempt: Try, *, budget_minutes: float, prefer: Prefer
) -> tuple[Contender, list[Contender]]:
    """Compare candidates, and return the winner and all of them.

    Args:
        candidates: The lightest first.
        folds: What they may be tried on, one a round.
        attempt: Trains one candidate for one fold.
        budget_minutes: For the trials and the last training together. The first candidate is tried once, whatever it
            takes.
        prefer: `accurate` takes the best score; otherwise the lighter candidate wins a tie.
    """
    started, contenders = time.monotonic(), [Contender(candidate) for candidate in candidates]
    alive = list(contenders)
    for number in range(len(folds)):
        if number and not _can_pay(alive, started, budget_minutes):
            say(f"No time is left for another round: {number} of {len(folds)} folds were answered.")
            break
        for contender in alive:
            if number == 0 and not _may_begin(contender, contenders, started, budget_minutes):
                contender.note = "not tried: no time was left"
                continue
            say(f"Trying {contender.candidate.config}, round {number + 1} of at most {len(folds)} ...")
            contender.trials.append(attempt(contender.candidate, number))
            say(f"{contender.candidate.config}: {contender.score:.1%} so far, {contender.seconds:.0f} s a training.")
        alive = _without_losers([contender for contender in alive if contender.trials], prefer)
    return _best(alive, prefer), contenders


def _can_pay(alive: Sequence[Contender], started: float, budget_minutes: float) -> bool:
    """Tell whether another round and the last training fit into the budget."""
    needed = sum(contender.seconds for contender in alive) + max(contender.seconds for contender in alive)
    return time.monotonic() - started + needed <= budget_minutes * MINUTE


def _may_begin(contender: Contender, contenders: Sequence[Contender], started: float, budget_minutes: float) -> bool:
    """Tell whether a candidate's first trial, and a last training as long, are likely to fit into the budget."""
    known = [each for each in contenders if each.trials]
    if not known:
        return True
    likely = max(each.seconds / each.candidate.weight for each in known) * contender.candidate.weight
    return time.monotonic() - started + 2 * likely <= budget_minutes * MINUTE


def _without_losers(alive: Sequence[Contender], prefer: Prefer) -> list[Contender]:
    """Return the candidates that are not clearly worse than the best."""
    best = _best(alive, prefer)
    left = []
    for contender in alive:
        if contender is best or _behind(contender, best) <= CLEARLY:
            left.append(contender)
        else:
            contender.note = f"clearly worse after {len(contender.trials)} rounds"
    return left


def _best(alive: Sequence[Contender], prefer: Prefer) -> Contender:
    best = max(alive, key=lambda contender: contender.score)
    if prefer == "accurate":
        return best
    return next(contender for contender in alive if contender is best or _behind(contender, best) <= TIE)


def _behind(contender: Contender, best: Contender) -> float:
    """Return by how many standard deviations a candidate is behind, on the rows that both answered (McNemar)."""
    rounds = min(len(contender.trials), len(best.trials))
    pairs = list(zip(contender.right(rounds), best.right(rounds), strict=True))
    lost, won = sum(theirs and not ours for ours, theirs in pairs), sum(ours and not theirs for ours, theirs in pairs)
    return (lost - won) / math.sqrt(lost + won) if lost + won else 0.0


def described(
    winner: Contender, contenders: Sequence[Contender], *, learn: str, prefer: Prefer, left: Sequence[str]
) -> dict[str, Any]:
    """Return what was found, as the module says."""
    tried = sorted((each for each in contenders if each.trials), key=lambda each: -each.score)
    untried = [f"{each.candidate.config} {each.note}" for each in contenders if not each.trials]
    return {
        "learn": learn,
        "prefer": prefer,
        "measure": "slot F1" if learn == "slots" else "accuracy",
        "rows": len(winner.records),
        "candidates": [
            {
                "name": each.candidate.config,
                "score": each.score,
                "rows": len(each.records),
                "rounds": len(each.trials),
                "seconds": each.seconds,
                "note": "chosen" if each is winner else each.note,
            }
            for each in tried
        ],
        "winner": winner.candidate.config,
        "reason": _reason(winner, tried, prefer),
        "left": [*untried, *left],
    }


def _reason(winner: Contender, tried: Sequence[Contender], prefer: Prefer) -> str:
    name, others = winner.candidate.config, [each for each in tried if each is not winner]
    if not others:
        return f"{name} is the only candidate for these rows; it scores {winner.score:.1%} on rows that it never saw."
    best = others[0]
    if winner.score >= best.score:
        behind = f"{best.candidate.config} with {best.score:.1%}"
        return f"{name} is best on rows that it never saw: {winner.score:.1%}, before {behind}."
    return (
        f"{name} is as good as {best.candidate.config} on rows that neither saw ({winner.score:.1%} and "
        f"{best.score:.1%}: the difference is chance), and lighter. --prefer accurate takes the higher score."
    )


def tell(choice: Mapping[str, Any]) -> None:
    """Print the table of candidates and the reason on stderr."""
    width = max(len(row["name"]) for row in choice["candidates"])
    say(f"{'candidate':<{max(width, 9)}}  {choice['measure']:>9}  rows  seconds a training")
    for row in choice["candidates"]:
        name, score = f"{row['name']:<{max(width, 9)}}", f"{row['score']:>9.1%}"
        say(f"{name}  {score}  {row['rows']:>4}  {row['seconds']:>18.0f}  {row['note']}".rstrip())
    for other in choice["left"]:
        say(f"Not tried: {other}.")
    say(choice["reason"])
