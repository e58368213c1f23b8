"""The parameters of a search: their ranges, their names, and the values that they set in a configuration."""

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.training.tiny import tiny_config
from training.errors import ConfigError
from training.search.results import COMPLETE, TrialResult
from training.search.section import Section
from training.search.space import EXAMPLES, Parameter, grid, own_values, read_parameters, with_values
from training.search.suggesting import is_hopeless, suggest

SPACES = {
    "choice": {"categories": ["a", 1, None, {"type": "rnn"}, [1, 2]]},
    "grid_search": {"values": [0.1, 0.2]},
    "uniform": {"lower": -1, "upper": 2},
    "quniform": {"lower": 0.1, "upper": 0.9, "q": 0.25},
    "loguniform": {"lower": 0.001, "upper": 1, "base": 2},
    "qloguniform": {"lower": 0.5, "upper": 64, "q": 0.5},
    "randint": {"lower": 1, "upper": 3},
    "qrandint": {"lower": 8, "upper": 64, "q": 8},
    "lograndint": {"lower": 1, "upper": 100},
    "qlograndint": {"lower": 4, "upper": 64, "q": 4},
}
OWN = TrialResult(0, {}, score=0.5, scores=[0.5])


def parameter(space: str, **bounds: Any) -> Parameter:
    return read_parameters({"trainer.x": {"space": space, **bounds}}, tiny_config())[0]


def section(*parameters: Parameter, sampler: str = "tpe", pruner: str = "") -> Section:
    return Section("intent", "accuracy", "maximize", parameters, sampler=sampler, pruner=pruner)


def test_every_space_is_tested() -> None:
    assert SPACES.keys() == EXAMPLES.keys()


@pytest.mark.parametrize("space", SPACES)
@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_values_are_within_their_range(space: str, seed: int) -> None:
    bounds: dict[str, Any] = SPACES[space]
    tried = section(parameter(space, **bounds), sampler="random")
    value = suggest(tried, [OWN], 1, seed)["trainer.x"]
    if space in ("choice", "grid_search"):
        assert value in next(iter(bounds.values()))
        return
    assert bounds["lower"] <= value <= bounds["upper"]
    assert isinstance(value, int if "int" in space else float)
    if step := bounds.get("q"):
        assert value in (bounds["lower"], bounds["upper"]) or math.isclose(value / step, round(value / step))


def test_the_upper_end_of_integers_is_included() -> None:
    tried = section(parameter("randint", lower=1, upper=2), sampler="random")
    assert {suggest(tried, [], number, 0)["trainer.x"] for number in range(1, 20)} == {1, 2}


@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_a_suggestion_depends_only_on_the_trials_the_number_and_the_seed(sampler: str) -> None:
    trials = [
        TrialResult(n, {"trainer.x": n / 20}, score=n / 40, scores=[n / 40], state=COMPLETE) for n in range(1, 15)
    ]
    tried = section(parameter("uniform", lower=0, upper=1), sampler=sampler)
    once, again = (suggest(tried, trials, 15, 42) for _ in range(2))
    assert once == again
    assert suggest(tried, trials, 16, 42) != once
    assert suggest(tried, trials, 15, 44) != once


def test_the_sampler_learns_from_the_trials() -> None:
    tried = section(parameter("uniform", lower=0, upper=1))
    trials = [TrialResult(n, {"trainer.x": n / 40}, score=n / 40, scores=[n / 40]) for n in range(1, 40)]
    found = [suggest(tried, trials, 40, seed)["trainer.x"] for seed in range(10)]
    assert sum(found) / len(found) > 0.7


def test_grids_are_combined_and_repeated() -> None:
    first, second = (parameter("grid_search", values=values) for values in ([1, 2], ["a", "b"]))
    second = Parameter("trainer.y", "grid_search", values=second.values)
    tried = section(first, second, parameter("uniform", lower=0, upper=1))
    assert grid(tried.parameters)[1] == {"trainer.x": 1, "trainer.y": "b"}
    both = section(first, second)
    found = [tuple(suggest(both, [], number, 0).values()) for number in range(1, 6)]
    assert found == [(1, "a"), (1, "b"), (2, "a"), (2, "b"), (1, "a")]


def test_a_trial_below_the_median_is_hopeless() -> None:
    tried = section(parameter("uniform", lower=0, upper=1), pruner="median")
    trials = [TrialResult(n, {}, score=0.5, scores=[n / 10, 0.5]) for n in range(5)]
    assert is_hopeless(tried, trials, [0.19])
    assert not is_hopeless(tried, trials, [0.2])
    assert not is_hopeless(tried, trials[1:], [0.19])
    assert not is_hopeless(section(*tried.parameters), trials, [0.19])


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        (
            "trainr.epochs",
            {},
            "has 'trainr.epochs': expected a path such as trainer.learning_rate that starts with one",
        ),
        ("trainr.epochs", {}, "Did you mean 'trainer.epochs'?"),
        ("trainer", {}, "has 'trainer': expected a path"),
        ("trainer.x", 3, "hyperopt.parameters.trainer.x has the space None; expected one of choice, grid_search,"),
        ("trainer.x", {"space": "loguniforn"}, "has the space 'loguniforn'; did you mean loguniform?"),
        ("trainer.x", {"space": "randn", "mean": 0, "sd": 1}, "has the space 'randn'; did you mean randint?"),
        ("trainer.x", {"space": "choice"}, "expected {space: choice, categories: [0.001, 0.01]}."),
        ("trainer.x", {"space": "choice", "categories": []}, "expected {space: choice, categories: [0.001, 0.01]}."),
        ("trainer.x", {"space": "choice", "categories": [1, 2, 1]}, "lists a value twice: remove one."),
        ("trainer.x", {"space": "uniform", "lower": 1}, "expected {space: uniform, lower: 0.001, upper: 0.1}."),
        ("trainer.x", {"space": "uniform", "lower": "1e-3", "upper": 1}, "expected {space: uniform, lower: 0.001"),
        ("trainer.x", {"space": "uniform", "lower": 1, "upper": 1}, "but lower must be less than upper."),
        ("trainer.x", {"space": "uniform", "lower": 0, "upper": 1, "q": 2}, "expected {space: uniform, lower:"),
        ("trainer.x", {"space": "loguniform", "lower": 0, "upper": 1}, "but a space with a logarithm needs positive"),
        (
            "trainer.x",
            {"space": "randint", "lower": 1, "upper": 2.5},
            "expected {space: randint, lower: 2, upper: 20}.",
        ),
        ("trainer.x", {"space": "qrandint", "lower": 1, "upper": 8, "q": 0}, "but q must be positive."),
        (".", {"space": "choice", "categories": [1]}, "lists 1: expected mappings with sections."),
    ],
)
def test_an_invalid_parameter_is_rejected(name: str, given: Any, message: str) -> None:
    with pytest.raises(ConfigError) as rejected:
        read_parameters({name: given}, tiny_config())
    assert message in str(rejected.value)


def test_values_are_set_in_features_and_sections() -> None:
    config = tiny_config(input_features=[{"name": "text", "type": "text", "encoder": "rnn"}])
    values = {
        "text.encoder.dropout": 0.3,
        "text.column": "text+ngrams24",
        "intent.decoder": {"fc_dropout": 0.1},
        "trainer.optimizer.type": "sgd",
        ".": {"trainer": {"epochs": 9}, "combiner": {"type": "concat"}},
    }
    found = with_values(config, values)
    assert found["input_features"][0]["encoder"] == {"type": "rnn", "dropout": 0.3}
    assert found["input_features"][0]["column"] == "text+ngrams24"
    assert found["output_features"][0]["decoder"] == {"fc_dropout": 0.1}
    assert found["trainer"] == {"epochs": 9, "batch_size": 64, "optimizer": {"type": "sgd"}}
    assert found["combiner"] == {"type": "concat"}
    assert config["input_features"][0]["encoder"] == "rnn"
    assert "optimizer" not in config["trainer"]


def test_the_configurations_own_values() -> None:
    config = tiny_config(trainer={"epochs": "auto", "batch_size": 64})
    spaces: dict[str, Any] = {
        "trainer.epochs": {"space": "randint", "lower": 1, "upper": 3},
        "trainer.batch_size": {"space": "choice", "categories": [32, 64]},
        "text.encoder.dropout": {"space": "uniform", "lower": 0, "upper": 1},
    }
    found = own_values(config, read_parameters(spaces, config))
    assert found == {"trainer.epochs": "auto", "trainer.batch_size": 64}
