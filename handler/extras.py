"""Return the command that installs a missing package in the current installation."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
NAME = "ludwig-serverless"
ENVIRONMENTS = {"": "serve", "fetch": "fetch", "torchscript": "torchscript", "ray": "ray"}
"""The file of requirements/ for an extra, and so the environment of a checkout; `full` has all other extras."""


def how_to_install(extra: str = "") -> str:
    """Return the command that installs an extra, as a part of a sentence.

    Args:
        extra: One of the optional dependencies in pyproject.toml; "" for what every command needs.

    Returns:
        In a checkout, the script that makes a pinned environment, and pip with the checkout's folder. In an
        environment that the wheel is installed in, pip with the distribution's name: pip takes the extra from the
        installed metadata, and needs no index for it. In a copy of the code, such as an image, the requirements file.
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
