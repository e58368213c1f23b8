"""Search for better hyperparameters, with Optuna on one machine or on a Ray cluster.

Trial 0 is the configuration as it is. Each trial trains like `fit` on all folds of the rows except one and answers that
fold, as `fit` without `--config` compares configurations (see training/choice/); test rows are never read. The output
folder contains `trials.json`, the trials; `best.yaml`, the best configuration, to be trained by `fit`; and
`report.html`. All are rewritten after each trial. A search that is interrupted, killed or out of time continues with
the same command: it loses at most the trials that run.
"""

import json
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from export.console import say
from export.ludwig_library import import_ludwig
from training.config import Config, without_search
from training.errors import TrainingError
from training.schema import check_shape, complete_config
from training.search.preparing import SearchOptions, check_search, claimed, setting_of
from training.search.report import write_search_report
from training.search.results import BEST, COMPLETE, FAILED, PRUNED, Results, TrialResult
from training.search.running import Answers, LocalRunner, Runner, Setting
from training.search.scoring import right, score
from training.search.space import Values, own_values, with_values
from training.search.suggesting import is_hopeless, suggest
from training.sizing import sized
from training.whole_files import write_whole
from training.workspace import Workspace

if TYPE_CHECKING:
    import pandas as pd

    from training.evaluation.answers import Records

MINUTE = 60.0


def search(
    config: Config,
    dataset: "pd.DataFrame",
    folder: Path,
    options: SearchOptions,
    *,
    overwrite: bool = False,
    entities: bytes | None = None,
) -> Results:
    """Search for better hyperparameters, and write the trials, the best configuration and the report.

    Args:
        config: The configuration, with a section `hyperopt`.
        dataset: The rows.
        folder: The output folder. If it contains a search with the same settings, the search continues.
        options: How to search.
        overwrite: Whether to discard an earlier search in the folder.
        entities: The vocabulary of entities that belongs to the rows, whose words are values for the copies.

    Returns:
        The trials.

    Raises:
        ConfigError: The configuration or its section `hyperopt` is invalid.
        DatasetError: The rows do not match the configuration.
        TrainingError: The folder contains something else, Optuna is missing, or no trial finishes.
    """
    section = check_search(config, folder, options, overwrite=overwrite)
    check_shape(config)
    config = without_search(config)
    setting = setting_of(config, section, dataset, options, entities)
    api = import_ludwig()
    for end in (0, 1):  # a wrong name or value would otherwise fail in each trial
        values = {each.name: each.ends()[end] for each in section.parameters}
        complete_config(api, sized(with_values(config, values), setting.rows))
    workspace = Workspace(folder.absolute().with_name(f".{folder.name}-search"))
    with workspace.held():
        results = claimed(config, setting, folder, workspace, overwrite=overwrite)
        with _runner(setting, workspace, options) as runner:
            _Search(config, setting, results, folder, options.budget_minutes).run(runner)
        if len(results.trials) > section.trials:
            workspace.remove()
    return results


@contextmanager
def _runner(setting: Setting, workspace: Workspace, options: SearchOptions) -> Iterator[Runner]:
    if options.address is not None:
        from training.search.on_cluster import running_on

        with running_on(setting, address=options.address, cpus=options.cpus, gpus=options.gpus) as runner:
            yield runner
    else:
        yield LocalRunner(setting, workspace.folder)


@dataclass
class _Running:
    """A trial that is not finished."""

    result: TrialResult
    config: Config
    records: "Records" = field(default_factory=list)


class _Search:
    """The loop of a search: start trials, collect their folds, and write the results."""

    def __init__(
        self, config: Config, setting: Setting, results: Results, folder: Path, budget_minutes: float | None
    ) -> None:
        self._config, self._setting, self._section = config, setting, setting.section
        self._results, self._folder = results, folder
        limit = budget_minutes * MINUTE if budget_minutes else self._section.budget_seconds
        self._limit, self._started = limit, time.monotonic()
        self._running: dict[int, _Running] = {}

    def run(self, runner: Runner) -> None:
        """Run the trials that are missing, as long as there is time."""
        total = self._section.trials
        waiting = [number for number in range(total + 1) if number not in {t.number for t in self._results.trials}]
        if not waiting:
            say("All trials are finished: for more, increase --trials.")
        while True:
            while waiting and len(self._running) < runner.slots and self._may_start(waiting[0]):
                self._start(runner, waiting.pop(0))
            if not self._running:
                break
            if (trial := self._take(runner)) is not None:
                self._finish(runner, trial, runner.slots, len(waiting))
        if waiting:
            say(f"Stopped at the time limit, with {len(waiting)} trials left: re-run the same command to continue.")
        self._write()

    def _may_start(self, number: int) -> bool:
        """Return whether a trial may start: trial 0 always, others if they probably finish within the time."""
        if number == 0 or not self._limit:
            return True
        return time.monotonic() - self._started + self._mean_seconds() <= self._limit

    def _start(self, runner: Runner, number: int) -> None:
        values = (
            suggest(self._section, self._results.trials, number, self._setting.seed)
            if number
            else own_values(self._config, self._section.parameters)
        )
        config = with_values(self._config, values) if number else self._config
        self._running[number] = _Running(TrialResult(number, values), _without_calibration(config))
        told = _told(values) if number else "the configuration as it is"
        say(f"Trial {number} of {self._section.trials}: {told} ...")
        runner.start(number, 0, self._running[number].config)

    def _take(self, runner: Runner) -> TrialResult | None:
        """Wait for a training, and start the next fold of its trial. Returns the trial if it is finished."""
        answers = runner.next()
        running = self._running[answers.trial]
        result = running.result
        self._add(running, answers)
        if result.state == COMPLETE and len(result.scores) < len(self._setting.folds):
            if answers.trial and is_hopeless(self._section, self._results.trials, result.scores):
                result.state = PRUNED
            else:
                runner.start(answers.trial, len(result.scores), running.config)
                return None
        del self._running[answers.trial]
        return result

    def _add(self, running: _Running, answers: Answers) -> None:
        """Add the answers of a fold to a trial."""
        result = running.result
        result.seconds = round(result.seconds + answers.seconds, 1)
        running.records += answers.records
        found = math.nan if answers.error else score(self._section, running.records)
        if not math.isfinite(found):
            result.state, result.error = FAILED, answers.error or f"{self._section.metric} is not a number"
            result.score, result.scores, result.right = None, [], ""
            return
        result.scores.append(round(found, 6))
        result.score, result.right = result.scores[-1], right(self._section, running.records)

    def _finish(self, runner: Runner, trial: TrialResult, slots: int, left: int) -> None:
        """Store a finished trial and tell its score."""
        if trial.number == 0 and trial.state == FAILED:
            raise TrainingError(f"The configuration as it is cannot be trained: {trial.error}")
        self._results.add(trial)
        self._write()
        runner.forget(trial.number)
        score = f"{self._results.metric} {self._results.shown(trial.score)}"
        outcome = f"failed: {trial.error}" if trial.state == FAILED else score
        stopped = f", stopped after {len(trial.scores)} of {len(self._setting.folds)} folds"
        say(
            f"Trial {trial.number} of {self._section.trials}: {outcome}{stopped if trial.state == PRUNED else ''} in "
            f"{trial.seconds:.0f} s; {self._best()}{self._time_left(left + len(self._running), slots)}."
        )

    def _best(self) -> str:
        best = self._results.best
        return f"best so far: trial {best.number}, {self._results.shown(best.score)}" if best else "no score so far"

    def _time_left(self, trials: int, slots: int) -> str:
        minutes = trials * self._mean_seconds() / slots / MINUTE
        return f"; {trials} trials left, about {minutes:.1f} minutes" if trials else ""

    def _mean_seconds(self) -> float:
        trials = [each.seconds for each in self._results.trials if each.state != FAILED]
        return sum(trials) / len(trials) if trials else 0.0

    def _write(self) -> None:
        """Write the trials, the best configuration and the report."""
        self._results.write(self._folder)
        best = self._results.best
        if best is not None:
            config = with_values(self._config, best.parameters) if best.number else self._config
            content = yaml.safe_dump(config, sort_keys=False, allow_unicode=True)
            write_whole(self._folder / BEST, content.encode("utf-8", errors="backslashreplace"))
        write_search_report(self._folder, self._results)


def _without_calibration(config: Config) -> Config:
    """Return a configuration whose outputs are not calibrated, which needs validation rows and changes no answer."""
    outputs = [
        {key: value for key, value in each.items() if key != "calibration"} for each in config["output_features"]
    ]
    return {**config, "output_features": outputs}


def _told(values: Values) -> str:
    return ", ".join(f"{name} {json.dumps(value, default=str)}" for name, value in values.items())
