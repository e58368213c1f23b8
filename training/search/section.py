"""The section `hyperopt` of a configuration, in Ludwig's format: what a search tries, and how it scores a trial.

output_feature   the output to score; may be missing if there is only one
metric, goal     accuracy (default) or loss of a category; f1 of whole slots (default) or token_accuracy
split            validation: a trial is scored on rows that it was not trained on, and never on test rows
parameters       the ranges (see space.py)
executor         type: optuna or ray; num_samples; sampler: tpe (same as auto) or random; pruner: median;
                 time_budget_s; max_concurrent_trials on a cluster
search_alg       type: optuna (same as sampler: tpe), random or variant_generator (same as sampler: random)
"""

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from training.config import SEARCH, Config
from training.errors import ConfigError
from training.search.space import Parameter, grid, read_parameters

Goal = Literal["maximize", "minimize"]
METRICS: dict[str, dict[str, Goal]] = {
    "category": {"accuracy": "maximize", "loss": "minimize"},
    "sequence": {"f1": "maximize", "token_accuracy": "maximize"},
}
"""The metrics of each type of output, the default one first, and the goal of each."""
KEYS = ("output_feature", "metric", "goal", "split", "eval_split", "parameters", "executor", "search_alg")
SAMPLERS = ("auto", "tpe", "random")
ALGORITHMS = {"optuna": "tpe", "random": "random", "variant_generator": "random"}
"""Values of search_alg.type, and the sampler that each one means."""
OPTIONS = ("type", "num_samples", "sampler", "pruner", "time_budget_s", "max_concurrent_trials")
ELSEWHERE = {
    "cpu_resources_per_trial": "use the option --cpus",
    "gpu_resources_per_trial": "use the option --gpus",
    "storage": "the trials are in trials.json in the output folder",
    "study_name": "the trials are in trials.json in the output folder",
    "scheduler": "use `pruner: median`, which stops bad trials early",
    "kubernetes_namespace": "use the option --address",
    "trial_driver_resources": "use the options --cpus and --gpus",
}
"""Ludwig's options of the executor that have another place here."""
SAMPLES = 20
EXAMPLE = (
    "`hyperopt: {parameters: {trainer.learning_rate: {space: loguniform, lower: 0.001, upper: 0.1}}, executor: "
    "{num_samples: 20}}`"
)


@dataclass(frozen=True)
class Section:
    """A valid section `hyperopt`.

    Attributes:
        output: Name of the output to score.
        metric: Name of the metric.
        goal: `maximize` or `minimize`.
        parameters: The parameters to try.
        samples: Number of trials for each combination of the grids.
        sampler: `tpe` or `random`.
        pruner: `median`, or "" for none.
        budget_seconds: Time limit in seconds; 0 for none.
        concurrent: Largest number of trials at once; 0 for as many as the cluster has room for.
    """

    output: str
    metric: str
    goal: Goal
    parameters: tuple[Parameter, ...]
    samples: int = SAMPLES
    sampler: str = "tpe"
    pruner: str = ""
    budget_seconds: float = 0.0
    concurrent: int = 0

    @property
    def trials(self) -> int:
        """Number of trials, without the one of the configuration itself."""
        return self.samples * len(grid(self.parameters))


def read_section(config: Config, *, on_cluster: bool = False, samples: int | None = None) -> Section:
    """Read the section `hyperopt` of a configuration.

    Args:
        config: The configuration.
        on_cluster: Whether the trials run on a Ray cluster.
        samples: The number of trials instead of `executor.num_samples`.

    Raises:
        ConfigError: The section is missing, or something in it is invalid or not supported.
    """
    given = config.get(SEARCH)
    if not isinstance(given, dict) or not isinstance(given.get("parameters"), dict) or not given["parameters"]:
        raise ConfigError(
            f"--hyperopt needs a section {SEARCH!r} with parameters in the configuration, for example {EXAMPLE}; the "
            "built-in configurations have one."
        )
    _refuse_unknown(given, KEYS, SEARCH)
    for key in ("split", "eval_split"):
        if given.get(key, "validation") != "validation":
            raise ConfigError(
                f"{SEARCH}.{key} is {given[key]!r}: a search scores trials on rows that they were not trained on, and "
                f"never on test rows. Remove the line, or set `{key}: validation`."
            )
    output, metric, goal = _objective(given, config)
    executor = _mapping(given, "executor")
    found = Section(
        output=output,
        metric=metric,
        goal=goal,
        parameters=tuple(read_parameters(given["parameters"], config)),
        samples=samples or _positive(executor, "num_samples", SAMPLES),
        sampler=_sampler(given, executor),
        pruner=_one_of(executor, "pruner", ("median",)),
        budget_seconds=_positive(executor, "time_budget_s", 0),
        concurrent=_check_executor(executor, on_cluster=on_cluster),
    )
    if found.samples > 1 and all(each.space == "grid_search" for each in found.parameters):
        if samples or "num_samples" in executor:
            raise ConfigError(
                f"{SEARCH} has only grids, of which {found.samples} samples would repeat each trial: set "
                "`executor: {num_samples: 1}`."
            )
        return read_section(config, on_cluster=on_cluster, samples=1)
    return found


def _objective(given: Mapping[str, Any], config: Config) -> tuple[str, str, Goal]:
    """Return the output, the metric and the goal."""
    types = {str(each["name"]): each["type"] for each in config["output_features"] if each["type"] in METRICS}
    output = given.get("output_feature") or "combined"
    if output == "combined" and len(config["output_features"]) == 1 and types:
        output = next(iter(types))
    if output not in types:
        raise ConfigError(
            f"{SEARCH}.output_feature is {output!r}: expected an output of the type category or sequence"
            f"{', such as ' + next(iter(types)) if types else ', of which the configuration has none'}."
        )
    goals = METRICS[types[output]]
    metric = given.get("metric") or next(iter(goals))
    if metric not in goals:
        raise ConfigError(f"{SEARCH}.metric is {metric!r}: expected {' or '.join(goals)} for the output {output!r}.")
    if given.get("goal", goals[metric]) != goals[metric]:
        raise ConfigError(f"{SEARCH}.goal is {given['goal']!r}: expected {goals[metric]} for {metric}.")
    return output, metric, goals[metric]


def _sampler(given: Mapping[str, Any], executor: Mapping[str, Any]) -> str:
    algorithm = _mapping(given, "search_alg")
    _refuse_unknown(algorithm, ("type",), f"{SEARCH}.search_alg")
    kind = _one_of(algorithm, "type", tuple(ALGORITHMS), where=f"{SEARCH}.search_alg")
    sampler = _one_of(executor, "sampler", SAMPLERS)
    if kind and sampler:
        raise ConfigError(f"{SEARCH} has both search_alg and executor.sampler: remove one of them.")
    sampler = ALGORITHMS.get(kind, sampler)
    return "tpe" if sampler in ("", "auto") else sampler


def _check_executor(executor: Mapping[str, Any], *, on_cluster: bool) -> int:
    """Check what remains of the executor; return the largest number of trials at once, 0 if there is no limit."""
    for key, hint in ELSEWHERE.items():
        if executor.get(key) is not None:
            raise ConfigError(f"{SEARCH}.executor.{key} is not supported: remove it; {hint}.")
    _refuse_unknown(executor, OPTIONS, f"{SEARCH}.executor")
    if _one_of(executor, "type", ("optuna", "ray")) == "ray" and not on_cluster:
        raise ConfigError(f"{SEARCH}.executor.type is ray: add --backend ray, or set `type: optuna` for one machine.")
    if executor.get("max_concurrent_trials", "auto") in ("auto", None):
        return 0
    concurrent = _positive(executor, "max_concurrent_trials", 0)
    if concurrent > 1 and not on_cluster:
        raise ConfigError(
            f"{SEARCH}.executor.max_concurrent_trials is {concurrent}, but one machine runs one trial at a time: add "
            "--backend ray, or set it to 1."
        )
    return concurrent


def _mapping(given: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = given.get(key) or {}
    if not isinstance(found, dict):
        raise ConfigError(f"{SEARCH}.{key} is {found!r}: expected a mapping.")
    return found


def _positive(executor: Mapping[str, Any], key: str, default: int) -> int:
    found = executor.get(key)
    if found is None:
        return default
    if isinstance(found, bool) or not isinstance(found, int) or found < 1:
        raise ConfigError(f"{SEARCH}.executor.{key} is {found!r}: expected an integer of 1 or more.")
    return found


def _one_of(given: Mapping[str, Any], key: str, known: Iterable[str], where: str = f"{SEARCH}.executor") -> str:
    found = given.get(key)
    if found is not None and found not in known:
        raise ConfigError(f"{where}.{key} is {found!r}, which is not supported: expected {' or '.join(known)}.")
    return str(found or "")


def _refuse_unknown(given: Mapping[str, Any], known: Iterable[str], where: str) -> None:
    for key in given:
        if key not in known:
            near = difflib.get_close_matches(str(key), known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"expected {', '.join(known)}."
            raise ConfigError(f"{where} has the key {key!r}, which is not supported: {hint}")
