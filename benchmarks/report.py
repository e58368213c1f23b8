"""Report a measurement: tables, its section of docs/performance.md, and its figures for `ludwig-serverless cost`."""

import argparse
import json
import os
import platform
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "performance.md"
MEASURED = ROOT / "ludwig_serverless" / "cost" / "measured.json"

SHARES = (0, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 1)
"""The shares of the stored quantiles."""


def parser(part: str, description: str | None, **numbers: tuple[int, str]) -> argparse.ArgumentParser:
    """Return the argument parser of a part.

    Args:
        part: Name of the part.
        description: The description in its help.
        **numbers: Default value and help of each option that is a positive integer.
    """
    made = argparse.ArgumentParser(
        prog=f"python -m benchmarks.{part}",
        description=description,
        epilog="The tables go to stdout and into this part's section of docs/performance.md; the rest of that page "
        "stays unchanged.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    for name, (value, meaning) in numbers.items():
        made.add_argument(f"--{name}", type=positive, default=value, help=f"{meaning} (default: %(default)s)")
    made.add_argument("--page", type=Path, default=PAGE, help="page with the section (default: %(default)s)")
    made.add_argument("--measured", type=Path, default=MEASURED, help="file of figures for `ludwig-serverless cost`")
    return made


def positive(text: str) -> int:
    """Parse a command-line argument as a positive integer."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected a positive integer, got {text}")
    return number


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the lines of a Markdown table whose columns, except the first, are numbers."""
    marks = ["---", *["--:"] * (len(header) - 1)]
    return [f"| {' | '.join(cells)} |" for cells in (header, marks, *rows)]


def spread(values: Sequence[float], digits: int = 0) -> str:
    """Return values as a table cell: median (minimum to maximum)."""
    middle, least, most = (f"{value:.{digits}f}" for value in (np.median(values), np.min(values), np.max(values)))
    return f"{middle} ({least} to {most})"


def ratios(values: Sequence[float], others: Sequence[float]) -> list[str]:
    """Return minimum, median and maximum of the ratios in each round as table cells."""
    found = [value / other for value, other in zip(values, others, strict=True)]
    return [f"{value:.2f}" for value in (np.min(found), np.median(found), np.max(found))]


def publish(options: argparse.Namespace, part: str, lines: Sequence[str]) -> None:
    """Print a part's tables, and write them with their provenance into its section of the page.

    Args:
        options: The options of `parser`, with the page.
        part: Name of the part.
        lines: The tables, as Markdown.
    """
    content = [provenance(part), "", *lines]
    print("\n".join(content))
    write_section(options.page, part, content)


def provenance(part: str) -> str:
    """Return the command of the measurement, its date, the machine and its load, as a sentence."""
    command = f"python -m benchmarks.{part} {' '.join(sys.argv[1:])}".rstrip()
    today, load = datetime.now(UTC).date(), os.getloadavg()[1]
    return f"Measured by `{command}` on {today}, on {machine()}; load average {load:.1f} over the last five minutes."


def machine() -> str:
    """Return the processors and the operating system of this machine."""
    models = [line.split(":", 1)[1].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")]
    return f"{os.cpu_count()} x {models[0] if models else platform.machine()}, {platform.system()}"


def write_section(page: Path, part: str, lines: Sequence[str]) -> None:
    """Replace the text between a part's markers in a page.

    Args:
        page: The Markdown file.
        part: Name of the part.
        lines: The new content.

    Raises:
        ValueError: The page lacks the markers.
    """
    begin, end = f"<!-- begin {part} -->", f"<!-- end {part} -->"
    head, found_begin, rest = page.read_text(encoding="utf-8").partition(begin)
    _, found_end, tail = rest.partition(end)
    if not found_begin or not found_end:
        raise ValueError(f"{page} has no section for {part!r}: add the lines {begin} and {end}.")
    written = page.with_name(page.name + ".part")
    written.write_text("\n".join([head + begin, "", *lines, "", end + tail]), encoding="utf-8")
    written.replace(page)


def record(
    options: argparse.Namespace,
    part: str,
    figures: Mapping[str, float],
    samples: Mapping[str, Sequence[float]] | None = None,
) -> None:
    """Store figures for `ludwig-serverless cost`, each with its date and command; other figures stay unchanged.

    Args:
        options: The options of `parser`, with the file of figures.
        part: Name of the part.
        figures: The measured values by name.
        samples: The measurements behind some of them, whose distribution `cost --simulate` needs.
    """
    path: Path = options.measured
    kept = json.loads(path.read_bytes()) if path.exists() else {}
    today = datetime.now(UTC).date().isoformat()
    for name, value in figures.items():
        kept[name] = {
            "value": round(float(value), 1),
            "measured_at": today,
            "by": f"python -m benchmarks.{part}",
            "machine": machine(),
        }
        if samples and name in samples:
            kept[name] |= {"quantiles": quantiles(samples[name]), "observations": len(samples[name])}
    path.write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    if path == MEASURED:
        say("The bills depend on these figures: run `python -m benchmarks.costs` to update their pages.")


def quantiles(values: Sequence[float]) -> list[list[float]]:
    """Return a distribution as pairs of a share and the value that this share of the measurements does not exceed."""
    return [[share, round(float(np.quantile(values, share)), 2)] for share in SHARES]


def say(line: str) -> None:
    """Print a progress message to stderr."""
    print(line, file=sys.stderr, flush=True)


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
