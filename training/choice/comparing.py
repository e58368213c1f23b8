"""Compare candidates in rounds: in each round, every remaining candidate answers one more fold.

After each round, candidates that are clearly worse drop out. If a round does not fit into the time budget, the
candidates that take longest pause: they keep their answers, and the others answer more folds. The result is one JSON
object, stored in training.json and metrics.json under `choice`:

    learn        the predicted column
    prefer       balanced, fast or accurate
    measure      accuracy, or slot F1
    rows         number of rows that the winner answered
    candidates   name, score, rows (answered), rounds, seconds (of its slowest trial), note; sorted by score
    winner       name of the winner
    reason       why it won, as a sentence
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
"""Try a candidate on the fold with this index."""
CLEARLY = 2.0
"""A candidate is clearly worse, and drops out, if it is more than this many standard deviations behind another one."""
TIE = 0.5
"""Within this many standard deviations of the best, the lightest candidate wins, except with `--prefer accurate`."""
MINUTE = 60.0


@dataclass
class Contender:
    """A candidate and its trials so far.

    Attributes:
        candidate: The candidate.
        trials: Its trials, one per fold answered.
        note: Why it dropped out, paused or was not tried; "" otherwise.
    """

    candidate: Candidate
    trials: list[Trial] = field(default_factory=list)
    note: str = ""

    @property
    def records(self) -> list[dict[str, Any]]:
        """The answers of all rounds."""
        return [record for trial in self.trials for record in trial.records]

    @property
    def seconds(self) -> float:
        """Duration of its slowest trial, in seconds."""
        return max([trial.seconds for trial in self.trials], default=0.0)

    def right(self, rounds: int) -> list[bool]:
        """Return one boolean per row of the first `rounds` folds: whether its answer is entirely correct."""
        name = self.candidate.learns
        records = [record for trial in self.trials[:rounds] for record in trial.records]
        return [record[name] == record[f"{name}_predictions"] for record in records]

    @property
    def score(self) -> float:
        """Accuracy of labels, or F1 of whole slots, over all rows answered so far."""
        name, records = self.candidate.learns, self.records
        expected, found = ([record[column] for record in records] for column in (name, f"{name}_predictions"))
        if name == "slots":
            return float(slot_metrics(expected, found)["f1"])
        return float(sum(map(eq, expected, found)) / len(records))


def compare(
    candidates: Sequence[Candidate], folds: Sequence[Fold], attempt: Try, *, budget_minutes: float, prefer: Prefer
) -> tuple[Contender, list[Contender]]:
    """Compare candidates and choose a winner.

    Args:
        candidates: The candidates, the lightest first.
        folds: The folds, one per round.
        attempt: Trains a candidate without one fold and answers that fold.
        budget_minutes: Time limit for the trials and the final training together, in minutes. The first trial of the
            first candidate always runs.
        prefer: `accurate` takes the best score; otherwise the lightest candidate wins a tie.

    Returns:
        The winner, and all contenders in the order of `candidates`.
    """
    started, contenders = time.monotonic(), [Contender(candidate) for candidate in candidates]
    alive = list(contenders)
    for number in range(len(folds)):
        continuing = _affordable(alive, started, budget_minutes) if number else alive
        if not continuing:
            say(f"Time budget used up: stopping after {number} of {len(folds)} folds.")
            break
        for contender in alive:
            if contender not in continuing and not contender.note:
                contender.note = f"paused after {number} of {len(folds)} folds, to save time"
                say(f"{contender.candidate.name}: {contender.note}.")
        for contender in continuing:
            if number == 0 and not _may_begin(contender, contenders, started, budget_minutes):
                contender.note = "would exceed the time budget"
                continue
            say(f"Trying {contender.candidate.name}, round {number + 1} of at most {len(folds)} ...")
            contender.trials.append(attempt(contender.candidate, number))
            say(f"{contender.candidate.name}: {contender.score:.1%} so far, {contender.seconds:.0f} s per training.")
        alive = _without_losers([contender for contender in alive if contender.trials], prefer)
    return _best(alive, prefer), contenders


def _affordable(alive: Sequence[Contender], started: float, budget_minutes: float) -> list[Contender]:
    """Return the candidates that answer the next fold: without the slowest, if the budget is too short for all.

    The final training of any candidate must still fit into the budget. One candidate alone answers no further folds,
    because there is nothing to compare it with, unless it is the only one.
    """
    left = budget_minutes * MINUTE - (time.monotonic() - started) - max(contender.seconds for contender in alive)
    most = max(len(contender.trials) for contender in alive)
    continuing = [contender for contender in alive if len(contender.trials) == most]
    while continuing and sum(contender.seconds for contender in continuing) > left:
        continuing.remove(max(continuing, key=lambda contender: contender.seconds))
    return continuing if len(continuing) > 1 or len(alive) == 1 else []


def _may_begin(contender: Contender, contenders: Sequence[Contender], started: float, budget_minutes: float) -> bool:
    """Return whether a candidate's first trial and an equally long final training probably fit into the budget."""
    known = [each for each in contenders if each.trials]
    if not known:
        return True
    # The heaviest candidate tells most: what lighter ones take is mostly the start of Ludwig.
    heaviest = max(known, key=lambda each: each.candidate.weight)
    likely = heaviest.seconds / heaviest.candidate.weight * contender.candidate.weight
    return time.monotonic() - started + 2 * likely <= budget_minutes * MINUTE


def _without_losers(alive: Sequence[Contender], prefer: Prefer) -> list[Contender]:
    """Return the candidates that are not clearly worse than another one."""
    best = _best(alive, prefer)
    left = []
    for contender in alive:
        if contender is best or all(_behind(contender, other) <= CLEARLY for other in alive):
            left.append(contender)
        else:
            contender.note = f"clearly worse after {len(contender.trials)} rounds"
    return left


def _best(alive: Sequence[Contender], prefer: Prefer) -> Contender:
    most = max(len(contender.trials) for contender in alive)
    compared = [contender for contender in alive if len(contender.trials) == most]
    best = max(compared, key=lambda contender: contender.score)
    if prefer != "accurate":
        best = next(contender for contender in compared if contender is best or _behind(contender, best) <= TIE)
    for contender in alive:  # those that paused count by the rows that both answered
        if contender not in compared and _behind(best, contender) > (0 if prefer == "accurate" else TIE):
            best = contender
    further = (contender for contender in alive if contender.candidate.continues == best.candidate.name)
    return next((contender for contender in further if _behind(contender, best) <= CLEARLY), best)


def _behind(contender: Contender, best: Contender) -> float:
    """Return how many standard deviations a candidate is behind the best, by McNemar's test.

    Only rows that both answered, and that exactly one answered correctly, count: if the two were equally good, each
    would win half of these, and the difference divided by the square root of their number has unit variance.
    """
    rounds = min(len(contender.trials), len(best.trials))
    pairs = list(zip(contender.right(rounds), best.right(rounds), strict=True))
    lost, won = sum(theirs and not ours for ours, theirs in pairs), sum(ours and not theirs for ours, theirs in pairs)
    return (lost - won) / math.sqrt(lost + won) if lost + won else 0.0


def described(
    winner: Contender, contenders: Sequence[Contender], *, learn: str, prefer: Prefer, left: Sequence[str]
) -> dict[str, Any]:
    """Return the result of the comparison as JSON types.

    Args:
        winner: The winner.
        contenders: All contenders.
        learn: The predicted column.
        prefer: The value of `--prefer`.
        left: Further candidates that were not tried, and why.

    Returns:
        The object that this module's docstring describes.
    """
    tried = sorted((each for each in contenders if each.trials), key=lambda each: -each.score)
    untried = [f"{each.candidate.name} {each.note}" for each in contenders if not each.trials]
    return {
        "learn": learn,
        "prefer": prefer,
        "measure": "slot F1" if learn == "slots" else "accuracy",
        "rows": len(winner.records),
        "candidates": [
            {
                "name": each.candidate.name,
                "score": each.score,
                "rows": len(each.records),
                "rounds": len(each.trials),
                "seconds": each.seconds,
                "note": "chosen" if each is winner else each.note,
            }
            for each in tried
        ],
        "winner": winner.candidate.name,
        "reason": _reason(winner, tried, prefer),
        "left": [*untried, *left],
    }


def _reason(winner: Contender, tried: Sequence[Contender], prefer: Prefer) -> str:
    name, others = winner.candidate.name, [each for each in tried if each is not winner]
    if not others:
        return f"{name} is the only candidate for this dataset; it scores {winner.score:.1%} on held-out rows."
    best = others[0]
    if winner.score >= best.score:
        runner_up = f"{best.candidate.name} scores {best.score:.1%}"
        return f"{name} is best on held-out rows: it scores {winner.score:.1%}, and {runner_up}."
    if winner.candidate.continues == best.candidate.name:
        return (
            f"{name} trains {best.candidate.name} further, which usually helps on new messages, and is not clearly "
            f"worse on held-out rows ({winner.score:.1%} and {best.score:.1%})."
        )
    return (
        f"{name} is lighter than {best.candidate.name}, and their difference on held-out rows is not significant "
        f"({winner.score:.1%} and {best.score:.1%}). For the higher score, use --prefer accurate."
    )


def tell(choice: Mapping[str, Any]) -> None:
    """Print the table of candidates and the reason to stderr."""
    width = max(len(row["name"]) for row in choice["candidates"])
    say(f"{'candidate':<{max(width, 9)}}  {choice['measure']:>9}  rows  seconds/training")
    for row in choice["candidates"]:
        name, score = f"{row['name']:<{max(width, 9)}}", f"{row['score']:>9.1%}"
        say(f"{name}  {score}  {row['rows']:>4}  {row['seconds']:>16.0f}  {row['note']}".rstrip())
    for other in choice["left"]:
        say(f"Not tried: {other}.")
    say(choice["reason"])
