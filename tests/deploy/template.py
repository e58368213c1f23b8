"""Evaluate the template like CloudFormation: short forms, references and functions."""

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from scripts.zip_template import Loader

ROOT = Path(__file__).parents[2]
PARAMETER = re.compile(r"\$\{([A-Za-z0-9]+)\}")
PSEUDO = {"AWS::Partition": "aws", "AWS::Region": "eu-west-1", "AWS::AccountId": "123456789012"}
NO_VALUE = {"Ref": "AWS::NoValue"}


def load(name: str = "template.yaml") -> Any:
    """Read a template from the repository."""
    return yaml.load((ROOT / name).read_text(encoding="utf-8"), Loader)


def values(node: Any, key: str) -> Iterator[Any]:
    """Yield every value of a key at any depth."""
    if isinstance(node, dict):
        for name, inner in node.items():
            if name == key:
                yield inner
            yield from values(inner, key)
    elif isinstance(node, list):
        for inner in node:
            yield from values(inner, key)


def referred(node: Any) -> set[str]:
    """Return every name that a part of the template refers to."""
    subs = [sub if isinstance(sub, str) else sub[0] for sub in values(node, "Fn::Sub")]
    return {*values(node, "Ref"), *(name for sub in subs for name in PARAMETER.findall(sub))}


class Evaluator:
    """Evaluate a template's functions for parameter values; values that only AWS knows stay unchanged."""

    def __init__(self, template: Any, **parameters: str) -> None:
        defaults = {name: str(given.get("Default", "")) for name, given in template["Parameters"].items()}
        assert parameters.keys() <= defaults.keys()
        self._known: Mapping[str, Any] = {**PSEUDO, **defaults, **parameters}
        self._conditions = template["Conditions"]

    def value(self, node: Any) -> Any:
        """Return a node with evaluated functions, without AWS::NoValue."""
        if isinstance(node, list):
            return [value for value in map(self.value, node) if value != NO_VALUE]
        if not isinstance(node, dict):
            return node
        if len(node) == 1:
            (name, argument), *_ = node.items()
            if name in {"Ref", "Condition"} or name.startswith("Fn::"):
                return self._function(name.removeprefix("Fn::"), argument)
        found = {name: self.value(inner) for name, inner in node.items()}
        return {name: inner for name, inner in found.items() if inner != NO_VALUE}

    def condition(self, name: str) -> bool:
        """Return whether a condition of the template, or an assertion of its rules, is true."""
        return bool(self.value(self._conditions[name]))

    def _function(self, name: str, argument: Any) -> Any:
        if name == "If":
            return self.value(argument[1 if self.condition(argument[0]) else 2])
        if name == "Ref":
            return self._known.get(argument, {"Ref": argument})
        if name == "Condition":
            return self.condition(argument)
        if name == "Sub":
            text, extra = (argument, {}) if isinstance(argument, str) else (argument[0], self.value(argument[1]))
            known = {**self._known, **extra}
            return re.sub(r"\$\{([\w:]+)\}", lambda found: str(known.get(found[1], found[0])), text)
        return PURE[name](*self.value(argument)) if name in PURE else {f"Fn::{name}": argument}


PURE: dict[str, Callable[..., Any]] = {
    "Select": lambda index, items: items[int(index)],
    "Split": lambda delimiter, text: text.split(delimiter),
    "Join": lambda delimiter, items: delimiter.join(items),
    "Equals": lambda one, other: str(one) == str(other),
    "And": lambda *conditions: all(conditions),
    "Or": lambda *conditions: any(conditions),
    "Not": lambda condition: not condition,
}
