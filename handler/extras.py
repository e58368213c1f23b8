"""Return the command that installs a missing package in the current installation."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
NAME = "ludwig-serverless"
ENVIRONMENTS = {"": "serve", "fetch": "fetch", "torchscript": "torchscript", "ray": "ray", "spark": "spark"}
"""The environment, and so the file in requirements/, that has an extra. `full` has all the others."""


def how_to_install(extra: str = "") -> str:
    """Return the command that installs an extra, as part of a sentence.

    Args:
        extra: One of the optional dependencies in pyproject.toml; "" for the packages that every command needs.

    Returns:
        In a checkout, the script that creates a pinned environment, or pip with the checkout's folder. Where the wheel
        is installed, pip with the distribution's name: pip reads the extra from the installed metadata, so the
        distribution need not be on an index. In a copy of the code, such as an image, the requirements file.
    """
    environment = ENVIRONMENTS.get(extra, "full")
    wanted = f"[{extra}]" if extra else ""
    if (ROOT / "pyproject.toml").is_file():
        script = f"python3 {ROOT / 'scripts' / 'environment.py'} {environment}"
        return f"run `{script}` and use the Python that it prints, or `pip install '{ROOT}{wanted}'`"
    if _is_installed():
        return f"run `pip install '{NAME}{wanted}'`"
    return f"install the packages of requirements/{environment}.txt"


def _is_installed() -> bool:
    from importlib.metadata import PackageNotFoundError, distribution

    try:
        distribution(NAME)
    except PackageNotFoundError:
        return False
    return True
