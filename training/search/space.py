"""The parameters that a search tries: their ranges in the section `hyperopt`, in Ludwig's format, and their values.

    trainer.learning_rate: {space: loguniform, lower: 0.001, upper: 0.1}
    text.encoder.dropout:  {space: choice, categories: [0.1, 0.3, 0.5]}

A name is a path in the configuration. It starts with a section, such as `trainer`, or with the name of a feature.

    choice                  categories      one of these values
    grid_search             values          each of these values, combined with each value of the other grids
    uniform, quniform       lower, upper, q     a number; the q-spaces round it to multiples of q
    loguniform, qloguniform                     a number whose logarithm is evenly distributed
    randint, qrandint, lograndint, qlograndint  the same with integers, `upper` included
"""

import copy
import difflib
import itertools
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from training.config import Config
from training.errors import ConfigError

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

GRID = "grid_search"
LISTS = {"choice": "categories", GRID: "values"}
"""Spaces that list their values, and the key of the list."""
FLOATS = ("uniform", "quniform", "loguniform", "qloguniform")
INTEGERS = ("randint", "qrandint", "lograndint", "qlograndint")
SECTIONS = ("combiner", "defaults", "preprocessing", "trainer")
WHOLE = "."
"""The name of a parameter whose values are mappings with whole sections."""
EXAMPLES = {
    **{name: f"{{space: {name}, {key}: [0.001, 0.01]}}" for name, key in LISTS.items()},
    **{name: f"{{space: {name}, lower: 0.001, upper: 0.1{', q: 0.001' * (name[0] == 'q')}}}" for name in FLOATS},
    **{name: f"{{space: {name}, lower: 2, upper: 20{', q: 2' * (name[0] == 'q')}}}" for name in INTEGERS},
}
Values = dict[str, Any]
"""The values of one trial, by the name of the parameter."""


@dataclass(frozen=True)
class Parameter:
    """A parameter and its range.

    Attributes:
        name: Its path in the configuration.
        space: The kind of range, a key of `EXAMPLES`.
        values: The values of a space that lists them; empty for others.
        lower: The smallest value of a range.
        upper: The largest value of a range.
        step: Values are rounded to multiples of this number; 0 does not round.
    """

    name: str
    space: str
    values: tuple[Any, ...] = ()
    lower: float = 0.0
    upper: float = 0.0
    step: float = 0.0

    @property
    def is_log(self) -> bool:
        """Whether the logarithm of the value is evenly distributed."""
        return "log" in self.space

    def distribution(self) -> "BaseDistribution":
        """Return Optuna's description of the range. Optuna gets listed values as JSON texts."""
        from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

        if self.space in LISTS:
            return CategoricalDistribution([json.dumps(value) for value in self.values])
        if self.space in INTEGERS:
            return IntDistribution(int(self.lower), int(self.upper), log=self.is_log)
        return FloatDistribution(self.lower, self.upper, log=self.is_log)

    def value(self, drawn: Any) -> Any:
        """Return the value in the configuration for a value that Optuna has drawn."""
        if self.space in LISTS:
            return json.loads(drawn)
        if self.step:
            drawn = min(max(round(drawn / self.step) * self.step, self.lower), self.upper)
        return int(drawn) if self.space in INTEGERS else float(f"{drawn:.6g}")

    def drawn(self, value: Any) -> Any:
        """Return the value for Optuna for a value in the configuration; None if it is not in the range."""
        if self.space in LISTS:
            return json.dumps(value) if value in self.values else None
        if isinstance(value, bool) or not isinstance(value, int | float) or not self.lower <= value <= self.upper:
            return None
        return int(value) if self.space in INTEGERS else float(value)

    def ends(self) -> tuple[Any, Any]:
        """Return the first and the last value."""
        if self.space in LISTS:
            return self.values[0], self.values[-1]
        kind = int if self.space in INTEGERS else float
        return kind(self.lower), kind(self.upper)


def read_parameters(given: Mapping[str, Any], config: Config) -> list[Parameter]:
    """Read the ranges of parameters.

    Args:
        given: The mapping `parameters` of the section `hyperopt`.
        config: The configuration, whose features the names may start with.

    Raises:
        ConfigError: A name or a range is invalid.
    """
    known = [*SECTIONS, *(str(each["name"]) for key in ("input_features", "output_features") for each in config[key])]
    return [_parameter(str(name), space, known) for name, space in given.items()]


def grid(parameters: Sequence[Parameter]) -> list[Values]:
    """Return all combinations of the values of the grids; one empty combination without grids."""
    grids = [each for each in parameters if each.space == GRID]
    names = [each.name for each in grids]
    return [dict(zip(names, found, strict=True)) for found in itertools.product(*(each.values for each in grids))]


def with_values(config: Config, values: Values) -> Config:
    """Return a configuration with other values of parameters.

    Args:
        config: The configuration.
        values: The values. Like in Ludwig, a value that is a mapping is merged into the mapping that it replaces.
    """
    config = copy.deepcopy(config)
    for name, value in values.items():
        if name == WHOLE:
            _merge(config, value)
            continue
        owner, path = _owner(config, name)
        for key in path[:-1]:
            found = owner.get(key)
            # Ludwig also accepts just the type, as in `encoder: rnn`.
            owner[key] = found if isinstance(found, dict) else {"type": found} if isinstance(found, str) else {}
            owner = owner[key]
        _merge(owner, {path[-1]: value})
    return config


def own_values(config: Config, parameters: Sequence[Parameter]) -> Values:
    """Return the values that the configuration itself has; parameters that it does not mention are left out."""
    found = {}
    for parameter in parameters:
        if parameter.name == WHOLE:
            continue
        value, path = _owner(config, parameter.name)
        for key in path:
            value = value.get(key) if isinstance(value, dict) else None
        if value is not None:
            found[parameter.name] = value
    return found


def _owner(config: Config, name: str) -> tuple[Any, list[str]]:
    """Return the mapping in which a parameter's path starts, and the path in it."""
    first, *rest = name.split(".")
    for section in ("input_features", "output_features"):
        for feature in config[section]:
            if feature["name"] == first:
                return feature, rest
    return config, [first, *rest]


def _merge(into: dict[str, Any], values: Mapping[str, Any]) -> None:
    for key, value in values.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        else:
            into[key] = copy.deepcopy(value)


def _parameter(name: str, given: Any, known: Sequence[str]) -> Parameter:
    """Return a parameter with a valid name and a valid range."""
    first, dot, _ = name.partition(".")
    if name != WHOLE and (first not in known or not dot):
        near = difflib.get_close_matches(first, known, n=1)
        hint = f" Did you mean {near[0] + name.removeprefix(first)!r}?" if near and dot else ""
        raise ConfigError(
            f"hyperopt.parameters has {name!r}: expected a path such as trainer.learning_rate that starts with one of "
            f"{', '.join(known)}.{hint}"
        )
    space = given.get("space") if isinstance(given, dict) else None
    if space not in EXAMPLES:
        near = difflib.get_close_matches(str(space), EXAMPLES, n=1)
        hint = f"did you mean {near[0]}?" if near else f"expected one of {', '.join(EXAMPLES)}"
        raise ConfigError(f"hyperopt.parameters.{name} has the space {space!r}; {hint}.")
    keys = {LISTS[space]} if space in LISTS else {"lower", "upper"} | ({"q"} if space[0] == "q" else set())
    # Ludwig's option `base` does not change what is drawn: a logarithm to another base is only another scale.
    allowed = keys | {"space"} | ({"base"} if "log" in space else set())
    if not keys <= set(given) or set(given) - allowed:
        raise _invalid(name, given, space)
    return _listed(name, space, given) if space in LISTS else _range(name, space, given)


def _listed(name: str, space: str, given: Mapping[str, Any]) -> Parameter:
    values = given[LISTS[space]]
    if not isinstance(values, list) or not values:
        raise _invalid(name, given, space)
    texts = [json.dumps(value) for value in values]
    if len(set(texts)) < len(texts):
        raise ConfigError(f"hyperopt.parameters.{name} lists a value twice: remove one.")
    if name == WHOLE and not all(isinstance(value, dict) for value in values):
        raise ConfigError(f"hyperopt.parameters.{name!r} lists {values[0]!r}: expected mappings with sections.")
    return Parameter(name, space, values=tuple(values))


def _range(name: str, space: str, given: Mapping[str, Any]) -> Parameter:
    numbers = [given["lower"], given["upper"], given.get("q", 0)]
    kind: Any = int if space in INTEGERS else (int, float)
    if any(isinstance(each, bool) or not isinstance(each, kind) or not math.isfinite(each) for each in numbers):
        raise _invalid(name, given, space)
    lower, upper, step = numbers
    needs = [
        ("lower must be less than upper", lower < upper),
        ("a space with a logarithm needs positive numbers", "log" not in space or lower > 0),
        ("q must be positive", "q" not in given or step > 0),
    ]
    for need, is_met in needs:
        if not is_met:
            raise ConfigError(f"hyperopt.parameters.{name} is {json.dumps(given)}, but {need}.")
    return Parameter(name, space, lower=lower, upper=upper, step=step)


def _invalid(name: str, given: Any, space: str) -> ConfigError:
    return ConfigError(f"hyperopt.parameters.{name} is {json.dumps(given, default=str)}: expected {EXAMPLES[space]}.")
