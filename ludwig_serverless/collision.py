"""Whether `handler`, `export` and `training` are this distribution's packages, and not another's of the same name.

Two distributions that install a package of one name into one environment overwrite each other's files, and neither pip
nor uv says so. Nothing here imports the three packages: what is checked may be broken.
"""

import base64
import hashlib
from collections.abc import Iterator
from importlib.machinery import PathFinder
from importlib.metadata import Distribution, PackageNotFoundError, distribution, distributions
from pathlib import Path

NAME = "ludwig-serverless"
PACKAGES = ("handler", "export", "training")
ADVICE = "Install ludwig-serverless in an environment of its own, or run it with `uvx --from WHEEL ludwig-serverless`."


def find_collision() -> str | None:
    """Return one sentence on the first collision and what to do about it, or None if there is none."""
    folder = Path(__file__).resolve().parents[1]
    return next((f"{found} {ADVICE}" for found in (*_elsewhere(folder), *_overwritten(folder))), None)


def _elsewhere(folder: Path) -> Iterator[str]:
    """Yield the packages that Python would import from another folder than this package's own."""
    for name in PACKAGES:
        spec = PathFinder.find_spec(name)
        origin = Path(spec.origin).resolve() if spec and spec.origin else None
        if origin is None:
            gone = "it was removed with another one."
            yield f"The package `{name}` of ludwig-serverless is missing from {folder}: {gone}"
        elif origin != folder / name / "__init__.py":
            yield f"The package `{name}` comes from {origin.parent}, and not from ludwig-serverless in {folder}."


def _overwritten(folder: Path) -> Iterator[str]:
    """Yield the packages whose `__init__.py` is not the one that was installed, by the distribution's RECORD."""
    try:
        own = distribution(NAME)
    except PackageNotFoundError:
        return
    recorded = {str(path): path for path in own.files or ()}
    for name in PACKAGES:
        init = recorded.get(f"{name}/__init__.py")
        # An editable installation records no files of the packages; another folder's record says nothing of this one.
        if init is None or init.hash is None or Path(str(init.locate())).resolve() != folder / name / "__init__.py":
            continue
        digest = hashlib.new(init.hash.mode, (folder / name / "__init__.py").read_bytes()).digest()
        if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != init.hash.value:
            yield f"The package `{name}` in {folder} was overwritten{_by_whom(own, name)}."


def _by_whom(own: Distribution, name: str) -> str:
    """Return the other distributions that installed a package of this name, for the end of a sentence."""
    others = [
        other.name
        for other in distributions()
        if other.name != own.name and any(str(path).startswith(f"{name}/") for path in other.files or ())
    ]
    return f" by {' and '.join(sorted(others))}" if others else ""
