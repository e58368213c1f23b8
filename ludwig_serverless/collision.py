"""Check that `handler`, `export` and `training` belong to this distribution, not to another one with the same names.

If two distributions install packages with the same name, they overwrite each other's files, and neither pip nor uv
reports it. This module does not import the three packages, because they may be broken.
"""

import base64
import hashlib
from collections.abc import Iterator
from importlib.machinery import PathFinder
from importlib.metadata import Distribution, PackageNotFoundError, distribution, distributions
from pathlib import Path

NAME = "ludwig-serverless"
PACKAGES = ("handler", "export", "training")
ADVICE = "Install ludwig-serverless in a separate environment, or run it with `uvx --from WHEEL ludwig-serverless`."


def find_collision() -> str | None:
    """Return a message about the first collision and what to do about it, or None."""
    folder = Path(__file__).resolve().parents[1]
    return next((f"{found} {ADVICE}" for found in (*_elsewhere(folder), *_overwritten(folder))), None)


def _elsewhere(folder: Path) -> Iterator[str]:
    """Yield a message for each package that Python would import from another folder than this package's."""
    for name in PACKAGES:
        spec = PathFinder.find_spec(name)
        origin = Path(spec.origin).resolve() if spec and spec.origin else None
        if origin is None:
            reason = "it was removed with another distribution."
            yield f"The package `{name}` of ludwig-serverless is missing from {folder}: {reason}"
        elif origin != folder / name / "__init__.py":
            yield f"The package `{name}` comes from {origin.parent}, not from ludwig-serverless in {folder}."


def _overwritten(folder: Path) -> Iterator[str]:
    """Yield a message for each package whose `__init__.py` differs from the distribution's RECORD."""
    try:
        own = distribution(NAME)
    except PackageNotFoundError:
        return
    recorded = {str(path): path for path in own.files or ()}
    for name in PACKAGES:
        init = recorded.get(f"{name}/__init__.py")
        # An editable installation records no files of the packages; a record for another folder does not apply.
        if init is None or init.hash is None or Path(str(init.locate())).resolve() != folder / name / "__init__.py":
            continue
        digest = hashlib.new(init.hash.mode, (folder / name / "__init__.py").read_bytes()).digest()
        if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != init.hash.value:
            yield f"The package `{name}` in {folder} was overwritten{_by_whom(own, name)}."


def _by_whom(own: Distribution, name: str) -> str:
    """Return " by NAMES" with the other distributions that installed a package with this name, or ""."""
    others = [
        other.name
        for other in distributions()
        if other.name != own.name and any(str(path).startswith(f"{name}/") for path in other.files or ())
    ]
    return f" by {' and '.join(sorted(others))}" if others else ""
