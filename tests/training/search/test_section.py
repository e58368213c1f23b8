"""The section `hyperopt`: valid and invalid ones, and those of the built-in configurations."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.trained import KINDS
from tests.training.tiny import tiny_config
from training.config import read_config
from training.errors import ConfigError
from training.search.section import read_section
from training.search.space import own_values

RATE = "trainer.learning_rate: {space: loguniform, lower: 0.001, upper: 0.1}"
RATES = f"parameters: {{{RATE}}}"
SLOTS = {"name": "slots", "type": "sequence", "decoder": {"type": "tagger"}}
NUMBER = {"name": "price", "type": "number"}


def config(section: str, **changes: Any) -> dict[str, Any]:
    return tiny_config(hyperopt=yaml.safe_load(f"{{{section}}}"), **changes)


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ("", "--hyperopt needs a section 'hyperopt' with parameters in the configuration, for example `hyperopt: {"),
        ("parameters: {}", "--hyperopt needs a section 'hyperopt' with parameters"),
        ("parameters: 3", "--hyperopt needs a section 'hyperopt' with parameters"),
        (f"{RATES}, metrc: loss", "hyperopt has the key 'metrc', which is not supported: did you mean 'metric'?"),
        (
            f"{RATES}, split: test",
            "hyperopt.split is 'test': a search scores trials on rows that they were not trained",
        ),
        (f"{RATES}, eval_split: training", "hyperopt.eval_split is 'training'"),
        (f"{RATES}, metric: roc_auc", "metric is 'roc_auc': expected accuracy or loss for the output 'intent'."),
        (f"{RATES}, metric: loss, goal: maximize", "goal is 'maximize': expected minimize for loss."),
        (f"{RATES}, output_feature: slots", "output_feature is 'slots': expected an output of the type category or"),
        (f"{RATES}, executor: 3", "hyperopt.executor is 3: expected a mapping."),
        (f"{RATES}, executor: {{num_samples: 0}}", "num_samples is 0: expected an integer of 1 or more."),
        (f"{RATES}, executor: {{num_samples: true}}", "num_samples is True: expected an integer of 1 or more."),
        (
            f"{RATES}, executor: {{num_sample: 3}}",
            "the key 'num_sample', which is not supported: did you mean 'num_samp",
        ),
        (f"{RATES}, executor: {{type: ray}}", "executor.type is ray: add --backend ray, or set `type: optuna`"),
        (f"{RATES}, executor: {{type: local}}", "executor.type is 'local', which is not supported: expected optuna or"),
        (f"{RATES}, executor: {{sampler: gp}}", "sampler is 'gp', which is not supported: expected auto or tpe or"),
        (
            f"{RATES}, executor: {{pruner: hyperband}}",
            "pruner is 'hyperband', which is not supported: expected median.",
        ),
        (f"{RATES}, executor: {{max_concurrent_trials: 2}}", "one machine runs one trial at a time: add --backend ray"),
        (f"{RATES}, executor: {{cpu_resources_per_trial: 2}}", "is not supported: remove it; use the option --cpus."),
        (f"{RATES}, executor: {{storage: 'sqlite:///x'}}", "remove it; the trials are in trials.json"),
        (
            f"{RATES}, executor: {{scheduler: {{type: asha}}}}",
            "executor.scheduler is not supported: remove it; use `prun",
        ),
        (
            f"{RATES}, search_alg: {{type: bohb}}",
            "search_alg.type is 'bohb', which is not supported: expected optuna or",
        ),
        (f"{RATES}, search_alg: {{type: random, seed: 3}}", "hyperopt.search_alg has the key 'seed'"),
        (f"{RATES}, search_alg: {{type: random}}, executor: {{sampler: tpe}}", "both search_alg and executor.sampler"),
        (
            "parameters: {trainer.epochs: {space: grid_search, values: [1, 2]}}, executor: {num_samples: 3}",
            "hyperopt has only grids, of which 3 samples would repeat each trial: set `executor: {num_samples: 1}`.",
        ),
    ],
)
def test_an_invalid_section_is_rejected(section: str, message: str) -> None:
    with pytest.raises(ConfigError) as rejected:
        read_section(config(section))
    assert message in str(rejected.value)


@pytest.mark.parametrize(
    ("outputs", "expected"),
    [
        ([SLOTS], ("slots", "f1", "maximize")),
        ([NUMBER], "expected an output of the type category or sequence, of which the configuration has none."),
        ([SLOTS, NUMBER], "hyperopt.output_feature is 'combined': expected an output of the type category or sequence"),
    ],
)
def test_the_objective_follows_the_outputs(outputs: list[dict[str, Any]], expected: Any) -> None:
    given = config(RATES, output_features=outputs)
    if isinstance(expected, str):
        with pytest.raises(ConfigError, match=expected):
            read_section(given)
    else:
        found = read_section(given)
        assert (found.output, found.metric, found.goal) == expected


def test_every_option_is_honored() -> None:
    options = "type: ray, num_samples: 7, sampler: random, pruner: median, time_budget_s: 60, max_concurrent_trials: 3"
    more = f"{RATES}, output_feature: intent, metric: loss, goal: minimize, split: validation"
    found = read_section(config(f"{more}, executor: {{{options}}}"), on_cluster=True)
    assert (found.output, found.metric, found.goal) == ("intent", "loss", "minimize")
    assert (found.samples, found.sampler, found.pruner) == (7, "random", "median")
    assert (found.budget_seconds, found.concurrent) == (60, 3)
    assert read_section(config(f"{RATES}, search_alg: {{type: variant_generator}}")).sampler == "random"
    assert read_section(config(f"{RATES}, search_alg: {{type: optuna}}")).sampler == "tpe"


def test_the_number_of_trials() -> None:
    grids = "trainer.epochs: {space: grid_search, values: [1, 2, 3]}"
    assert read_section(config(RATES)).trials == 20
    assert read_section(config(RATES), samples=5).trials == 5
    assert read_section(config(f"parameters: {{{grids}}}")).trials == 3
    assert read_section(config(f"parameters: {{{grids}, {RATE}}}, executor: {{num_samples: 2}}")).trials == 6


@pytest.mark.parametrize("kind", KINDS)
def test_built_in_configurations_have_a_small_space_around_their_own_values(kind: str) -> None:
    given = read_config(Path(kind))
    section = read_section(given)
    assert 3 <= len(section.parameters) <= 5
    assert (section.trials, section.pruner) == (20, "median")
    own = own_values(given, section.parameters)
    for parameter in section.parameters:
        value = own.get(parameter.name)
        assert value in ("auto", None) or parameter.drawn(value) is not None, parameter.name
