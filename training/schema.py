"""Check a configuration against Ludwig's own schema, because Ludwig ignores unknown keys.

Without the check, a typo such as `trainr:` or `encodr:` would silently train another network. The known keys come from
the configuration after Ludwig fills in its defaults, so that the check follows the installed version of Ludwig.
"""

import copy
import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from export.features import column_of
from training.config import SEARCH, Config, without_search
from training.errors import ConfigError
from training.linear_start import without_linear_start
from training.names import check_names

SECTIONS = ("input_features", "output_features", "combiner", "trainer", "preprocessing", "defaults", SEARCH)
MAPPINGS = ("combiner", "trainer", "preprocessing", "defaults", SEARCH)
UPGRADED = "class_weights"
"""Ludwig's upgrade of old configurations adds this key, with None, to every loss, also to those that lack it.

Source: `update_class_weights_in_features` in `ludwig.utils.backward_compatibility`.
"""
PARTS = ("encoder", "decoder")
"""Ludwig also accepts the keys of an encoder or decoder directly in the feature, and moves them."""
UNEXPECTED = re.compile(r"Additional properties are not allowed \((.*) w(?:as|ere) unexpected\)")
"""Ludwig validates the keys strictly only in the section `trainer`."""
NOT_ONE_OF = re.compile(r"'([^']*)' is not one of \[(.*)\]", re.DOTALL)


def complete_config(api: Any, config: Config) -> Config:
    """Return the configuration with all of Ludwig's defaults filled in.

    Args:
        api: The module `ludwig.api`.
        config: A configuration with input and output features.

    Raises:
        ConfigError: Ludwig rejects the configuration, or it has keys that Ludwig does not know.
    """
    from ludwig.error import ConfigValidationError
    from ludwig.utils.backward_compatibility import upgrade_config_dict_to_latest_version

    check_shape(config)
    config = without_search(without_linear_start(config))
    try:
        complete = _completed(api, config)
        given = upgrade_config_dict_to_latest_version(copy.deepcopy(config))
    except ConfigValidationError as error:
        raise ConfigError(f"Ludwig rejects this configuration: {_readable(api, config, str(error))}") from None
    unknown = list(_unknown_keys(given, complete, ""))
    if unknown:
        raise ConfigError("Ludwig does not know these keys and would ignore them: " + "; ".join(unknown) + ".")
    return complete


def check_shape(config: Mapping[str, Any]) -> None:
    """Check a configuration for mistakes that can be found without Ludwig.

    Raises:
        ConfigError: A section has the wrong type, a name is invalid, or a column is both an input and an output.
    """
    for section in MAPPINGS:
        if section in config and not isinstance(config[section], dict):
            found = type(config[section]).__name__
            raise ConfigError(
                f"The section {section!r} is a {found}: expected a mapping, such as `{section}: {{...}}`."
            )
    check_names(config)
    inputs = {column_of(feature) for feature in config["input_features"]}
    for feature in config["output_features"]:
        if column_of(feature) in inputs:
            raise ConfigError(
                f"The column {column_of(feature)!r} is both an input and an output, so the model would only copy it. "
                "Remove one of the two features."
            )
    split = config.get("preprocessing", {}).get("split", {})
    if not isinstance(split, dict):
        raise ConfigError(
            f"preprocessing.split is {split!r}: expected a mapping, such as `split: {{type: random, probabilities: "
            "[0.85, 0.1, 0.05]}`."
        )


def _unknown_keys(given: Any, complete: Any, path: str, above: Iterable[str] = ()) -> Iterator[str]:
    """Yield a description of each key that the complete configuration lacks.

    above: keys one level up. They are suggested too, because Ludwig moves keys of a feature into its encoder.
    """
    if isinstance(given, dict) and isinstance(complete, dict):
        for key, value in given.items():
            if key in complete:
                yield from _unknown_keys(value, complete[key], f"{path}.{key}" if path else key, complete)
            elif not (path == "" and key in SECTIONS) and not (key == UPGRADED and value is None):
                yield _described(str(key), path, [*map(str, complete), *(map(str, above) if _is_part(path) else ())])
    elif isinstance(given, list) and isinstance(complete, list):
        for number, (one, other) in enumerate(zip(given, complete, strict=False)):
            yield from _unknown_keys(one, other, f"{path}[{number}]")


def _is_part(path: str) -> bool:
    return path.rpartition(".")[2] in PARTS


def _described(key: str, path: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(key, set(known), n=1)
    where = f" in {path}" if path else " at the top level"
    return f"{key!r}{where}" + (f" (did you mean {near[0]!r}?)" if near else "")


def _completed(api: Any, config: Config) -> Config:
    return dict(api.LudwigModel(copy.deepcopy(config), backend="local").config_obj.to_dict())


def _readable(api: Any, config: Config, message: str) -> str:
    """Return Ludwig's message as one line, with the closest name instead of a long list."""
    if found := UNEXPECTED.search(message):
        features = {section: config[section] for section in ("input_features", "output_features")}
        trainer = _completed(api, features)["trainer"]
        return "; ".join(_described(key, "trainer", trainer) for key in re.findall(r"'([^']+)'", found.group(1)))
    if found := NOT_ONE_OF.search(message):
        value, names = found.group(1), re.findall(r"'([^']+)'", found.group(2))
        near = difflib.get_close_matches(value, names, n=1)
        choice = f"did you mean {near[0]!r}?" if near else f"expected one of {', '.join(names)}"
        return f"{value!r} is not known here; {choice}"
    lines = [line.strip() for line in message.splitlines() if line.strip() and "pydantic.dev" not in line]
    return " ".join(lines)
