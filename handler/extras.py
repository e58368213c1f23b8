"""What to run when an optional package is missing: a command that works for this very installation."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ENVIRONMENTS = {"fetch": "fetch", "torchscript": "torchscript", "ray": "ray"}
"""Extras whose environment in a checkout is not `full`."""


def how_to_install(extra: str) -> str:
    """Return the command that installs an extra, ready for a message.

    Args:
        extra: One of the optional dependencies in pyproject.toml.

    Returns:
        In a checkout of the repository, which has never been installed under its name, the script that makes a pinned
        environment, and pip with the checkout's folder. Elsewhere pip with the name of the installed distribution.
    """
    if (ROOT / "pyproject.toml").is_file():
        name = ENVIRONMENTS.get(extra, "full")
        script = ROOT / "scripts" / "environment.py"
        return f"run `python3 {script} {name}` and use the Python that it prints, or `pip install '{ROOT}[{extra}]'`"
    return f"run `pip install 'ludwig-serverless[{extra}]'`"
