"""Load shadow bundles. One that cannot be used is a problem to report, and never stops the service."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from handler.errors import LudwigServerlessError
from handler.golden import seals
from handler.observers import shadow_locations
from handler.outputs import OutputFeature
from handler.predictor import Predictor, bundle_folders, fetched
from handler.settings import Settings


class Shadows(NamedTuple):
    """The shadows of a service.

    Attributes:
        predictors: The loaded shadows, by the name of their model.
        problems: Why other shadows cannot be used, one sentence each.
    """

    predictors: Mapping[str, Predictor]
    problems: Sequence[str]

    def described(self) -> dict[str, object]:
        """Return the shadows for the golden check: the seal of each in `models`, and `problems`."""
        return {"models": seals(self.predictors), "problems": list(self.problems)}


def load_shadows(live: Mapping[str, Predictor], settings: Settings) -> Shadows:
    """Fetch, verify and load all shadows.

    Args:
        live: The live bundles, by the name of their model.
        settings: The settings.

    Returns:
        The shadows that can be used, and why the others cannot.
    """
    predictors: dict[str, Predictor] = {}
    problems: list[str] = []
    for location in shadow_locations(settings):
        try:
            folders = [folder for local in fetched([location], settings.cache) for folder in bundle_folders(local)]
        except Exception as error:  # a client library may raise anything, and no shadow may stop the service
            problems.append(_reason(location, error))
            continue
        for folder in folders:
            try:
                shadow = Predictor(folder, settings.threads)
            except Exception as error:  # as above
                problems.append(_reason(str(folder), error))
                continue
            if problem := mismatch(live, shadow, str(folder), predictors):
                problems.append(problem)
            else:
                predictors[shadow.manifest.name] = shadow
    return Shadows(predictors, problems)


def mismatch(
    live: Mapping[str, Predictor], shadow: Predictor, where: str, others: Mapping[str, Predictor] | None = None
) -> str | None:
    """Return why a bundle cannot be a shadow; None if it can.

    Args:
        live: The live bundles, by the name of their model.
        shadow: The bundle.
        where: Its folder, for the message.
        others: The other shadows, by the name of their model.

    Returns:
        One sentence, or None.
    """
    name = shadow.manifest.name
    if name in (others or {}):
        return f"{where} is a second shadow of {name!r}: a model has one shadow at a time. Remove one of them."
    if name not in live:
        return (
            f"{where} is named {name!r}, and no live bundle has this name (found {', '.join(live)}): export it again "
            "with the --name of a live bundle."
        )
    columns, expected = sorted(shadow.columns_read), sorted(live[name].columns_read)
    if columns != expected:
        return (
            f"{where} reads the columns {columns}, but the live bundle {name!r} reads {expected}: requests would lack "
            "values. Train it on the same columns."
        )
    if missing := sorted(_kinds(live[name]) - _kinds(shadow)):
        return (
            f"{where} lacks outputs of the live bundle {name!r}: {', '.join(missing)}. Clients read them: train a "
            "model with all outputs."
        )
    return None


def _kinds(predictor: Predictor) -> set[str]:
    outputs: Sequence[OutputFeature] = predictor.manifest.outputs
    return {f"{output.name} ({type(output).__name__.removesuffix('Output').lower()})" for output in outputs}


def _reason(where: str, error: Exception) -> str:
    """Return why a location cannot be used. Only the package's own messages are known to quote nothing secret."""
    return str(error) if isinstance(error, LudwigServerlessError) else f"{where}: {type(error).__name__}"
