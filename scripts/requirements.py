"""Compile requirements/*.txt: exact versions with hashes, and no host named."""

import subprocess
import sys

from environment import ROOT, find_uv

FILES = {
    "handler": (),
    "serve": ("--extra", "serve"),
    "full": ("--extra", "serve", "--extra", "training", "--extra", "minilm", "--extra", "launch", "--group", "dev"),
}
OPTIONS = ("--quiet", "--universal", "--python-version", "3.12", "--generate-hashes", "--no-header", "--no-annotate")


def main(arguments):
    """Compile each file; `--upgrade` and other options go to uv. Returns the exit status."""
    for name, extras in FILES.items():
        target = f"requirements/{name}.txt"
        command = [
            find_uv(),
            "pip",
            "compile",
            *OPTIONS,
            *arguments,
            *extras,
            "pyproject.toml",
            "--output-file",
            target,
        ]
        subprocess.run([str(part) for part in command], check=True, cwd=ROOT, stdout=subprocess.DEVNULL)
        print(target)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
