"""Suggest the values of the next trial with Optuna, and stop trials that are clearly bad.

Each suggestion depends only on the finished trials, the seed and the number of the trial: Optuna's study is built
again for each one, with a sampler of its own. So a search that is interrupted and resumed suggests the same values as
one that runs through, which Optuna's stored studies do not: they forget the state of the sampler.
"""

import statistics
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from training.search.results import COMPLETE, FAILED, TrialResult
from training.search.section import Section
from training.search.space import Values, grid

if TYPE_CHECKING:
    import optuna

FEWEST_COMPLETE = 5
"""Number of complete trials before others are stopped early, as in Optuna's MedianPruner."""


def suggest(section: Section, finished: Sequence[TrialResult], number: int, seed: int) -> Values:
    """Return the values of a trial.

    Args:
        section: The section `hyperopt`.
        finished: The finished trials.
        number: Number of the trial, 1 or more.
        seed: Seed of the search.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(direction=section.goal, sampler=_sampler(section.sampler, seed + number))
    distributions = {each.name: each.distribution() for each in section.parameters}
    for trial in finished:
        drawn = {each.name: each.drawn(trial.parameters.get(each.name)) for each in section.parameters}
        # The configuration itself may have values outside the ranges, from which Optuna cannot learn.
        if trial.state != FAILED and None not in drawn.values():
            study.add_trial(_known(trial, drawn, distributions))
    combinations = grid(section.parameters)
    fixed = combinations[(number - 1) % len(combinations)]
    by_name = {each.name: each for each in section.parameters}
    study.enqueue_trial({name: by_name[name].drawn(value) for name, value in fixed.items()})
    drawn = study.ask(distributions).params
    return {name: parameter.value(drawn[name]) for name, parameter in by_name.items()}


def is_hopeless(section: Section, finished: Sequence[TrialResult], scores: Sequence[float]) -> bool:
    """Return whether a running trial is worse than the median of the complete trials after as many folds.

    Args:
        section: The section `hyperopt`; only with `pruner: median` is a trial ever stopped.
        finished: The finished trials.
        scores: The scores of the running trial after each of its folds.
    """
    others = [each.scores[len(scores) - 1] for each in finished if each.state == COMPLETE]
    if section.pruner != "median" or len(others) < FEWEST_COMPLETE:
        return False
    median = statistics.median(others)
    return scores[-1] < median if section.goal == "maximize" else scores[-1] > median


def _sampler(name: str, seed: int) -> "optuna.samplers.BaseSampler":
    import optuna

    return optuna.samplers.RandomSampler(seed=seed) if name == "random" else optuna.samplers.TPESampler(seed=seed)


def _known(trial: TrialResult, drawn: Values, distributions: Any) -> "optuna.trial.FrozenTrial":
    """Return a finished trial in Optuna's form."""
    import optuna

    is_complete = trial.state == COMPLETE
    return optuna.trial.create_trial(
        state=optuna.trial.TrialState.COMPLETE if is_complete else optuna.trial.TrialState.PRUNED,
        value=trial.score if is_complete else None,
        params=drawn,
        distributions=distributions,
        intermediate_values=dict(enumerate(trial.scores)),
    )
