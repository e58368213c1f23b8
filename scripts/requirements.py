"""Compile requirements/*.txt: exact versions with hashes, without the address of a package index."""

import re
import subprocess
import sys

from environment import ROOT, find_uv

COMPILE = ("--quiet", "--no-header", "--no-annotate", "--universal", "--python-version", "3.12")
CONSTRAINTS = "requirements/constraints.txt"
EXTRAS = ("training", "minilm", "language", "fetch", "otel", "ray", "spark", "torchscript")
GROUPS = ("dev", "fuzz")
"""Dependency groups of environments that run this project's code. One common resolution constrains all their files."""

PROJECT_FILES = {
    "handler": ("--no-emit-package", "uvicorn", "--no-emit-package", "shtab", "--no-emit-package", "prometheus-client"),
    "serve": (),
    "fetch": ("--extra", "fetch"),
    "torchscript": ("--extra", "torchscript"),
    "full": (
        *("--extra", "training", "--extra", "minilm", "--extra", "language", "--extra", "otel"),
        *("--group", "dev"),
    ),
    "training": ("--extra", "training", "--extra", "minilm", "--extra", "language"),
    "ray": ("--extra", "ray", "--group", "dev"),
    "spark": ("--extra", "spark", "--group", "dev"),
    "fuzz": ("--group", "fuzz"),
}
TOOL_FILES = {
    "cloud": ("--group", "cloud"),
    "checkov": ("--group", "checkov"),
    "docs": ("--group", "docs"),
    "agents": ("--group", "agents"),
}
"""Tools with separate environments. They never import this project, and some need other versions."""
LEGACY = ("--python-version", "3.10", "--exclude-newer", "2024-08-01", "requirements/ludwig-0.10.in")
"""Package versions at the time of Ludwig 0.10.4, which has no upper bounds for most requirements."""
PIN = re.compile(r"^([A-Za-z0-9][\w.-]*)==([^\s;\\]+)\s*(;[^\\\n]*)?", re.MULTILINE)


def main(arguments):
    """Compile all files, or only check them (`--check`), and return the exit status. Other options go to uv."""
    if arguments == ["--check"]:
        conflicts = find_conflicts()
        print("\n".join(conflicts), file=sys.stderr)
        return 1 if conflicts else 0
    options = [part for name in EXTRAS for part in ("--extra", name)]
    options += [part for name in GROUPS for part in ("--group", name)]
    compile_file(CONSTRAINTS, *COMPILE, *arguments, *options, "pyproject.toml")
    for name, chosen in PROJECT_FILES.items():
        constraint = ("--constraint", CONSTRAINTS)
        compile_file(f"requirements/{name}.txt", *COMPILE, "--generate-hashes", *constraint, *chosen, "pyproject.toml")
    for name, chosen in TOOL_FILES.items():
        compile_file(f"requirements/{name}.txt", *COMPILE, "--generate-hashes", *arguments, *chosen)
    compile_file("requirements/ludwig-0.10.txt", *COMPILE[:3], "--generate-hashes", *arguments, *LEGACY)
    return 0


def compile_file(target, *options):
    """Run `uv pip compile` for one file."""
    command = [find_uv(), "pip", "compile", *options, "--output-file", target]
    subprocess.run([str(part) for part in command], check=True, cwd=ROOT, stdout=subprocess.DEVNULL)
    print(target)


def find_conflicts():
    """Return one line for each package that two of the project's files pin to different versions."""
    found = {}
    for name in ("constraints", *PROJECT_FILES):
        for package, version, marker in PIN.findall((ROOT / "requirements" / f"{name}.txt").read_text()):
            versions = found.setdefault((package.lower(), marker.strip()), {})
            versions.setdefault(version, []).append(name)
    return [
        f"{package} is pinned differently: "
        + ", ".join(f"{version} in {'/'.join(names)}.txt" for version, names in versions.items())
        + ". Run `make requirements` and commit the result."
        for (package, _), versions in sorted(found.items())
        if len(versions) > 1
    ]


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
