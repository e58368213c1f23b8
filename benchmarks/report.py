"""What every measurement shares: its numbers as tables, its own section of docs/performance.md, its figures as data."""

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


def parser(part: str, description: str | None, **numbers: tuple[int, str]) -> argparse.ArgumentParser:
    """Return the command line of a part. numbers: the default and the meaning of its whole numbers, by name."""
    made = argparse.ArgumentParser(
        prog=f"python -m benchmarks.{part}",
        description=description,
        epilog="The tables go to stdout and into this part's own section of docs/performance.md; the rest of that "
        "page stays as it is.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    for name, (value, meaning) in numbers.items():
        made.add_argument(f"--{name}", type=positive, default=value, help=f"{meaning} (%(default)s)")
    made.add_argument("--page", type=Path, default=PAGE, help="the page to write the section into (%(default)s)")
    made.add_argument("--measured", type=Path, default=MEASURED, help="the figures that `ludwig-serverless cost` reads")
    return made


def positive(text: str) -> int:
    """Read a whole number above zero."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be above zero, found {text}")
    return number


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return a Markdown table; all columns but the first hold numbers."""
    marks = ["---", *["--:"] * (len(header) - 1)]
    return [f"| {' | '.join(cells)} |" for cells in (header, marks, *rows)]


def spread(values: Sequence[float], digits: int = 0) -> str:
    """Return a cell: median (minimum to maximum)."""
    middle, least, most = (f"{value:.{digits}f}" for value in (np.median(values), np.min(values), np.max(values)))
    return f"{middle} ({least} to {most})"


def ratios(values: Sequence[float], others: Sequence[float]) -> list[str]:
    """Return minimum, median and maximum of ratios as cells, round by round: both were taken in the same rounds."""
    found = [value / other for value, other in zip(values, others, strict=True)]
    return [f"{value:.2f}" for value in (np.min(found), np.median(found), np.max(found))]


def publish(options: argparse.Namespace, part: str, lines: Sequence[str]) -> None:
    """Print a part's tables, and put them into its section of the page, with how and where they were made."""
    content = [provenance(part), "", *lines]
    print("\n".join(content))
    write_section(options.page, part, content)


def provenance(part: str) -> str:
    """Say which command measured, when, where, and how busy the machine was."""
    command = f"python -m benchmarks.{part} {' '.join(sys.argv[1:])}".rstrip()
    today, load = datetime.now(UTC).date(), os.getloadavg()[1]
    return f"Made by `{command}` on {today}, on {machine()}; load average {load:.1f} over the last five minutes."


def machine() -> str:
    """Return what this machine is: processors, and system."""
    models = [line.split(":", 1)[1].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")]
    return f"{os.cpu_count()} x {models[0] if models else platform.machine()}, {platform.system()}"


def write_section(page: Path, part: str, lines: Sequence[str]) -> None:
    """Replace the text between a part's markers and nothing else. Raises ValueError if the page lacks them."""
    begin, end = f"<!-- begin {part} -->", f"<!-- end {part} -->"
    head, found_begin, rest = page.read_text(encoding="utf-8").partition(begin)
    _, found_end, tail = rest.partition(end)
    if not found_begin or not found_end:
        raise ValueError(f"{page} has no section for {part!r}: it needs the lines {begin} and {end}.")
    written = page.with_name(page.name + ".part")
    written.write_text("\n".join([head + begin, "", *lines, "", end + tail]), encoding="utf-8")
    written.replace(page)


def record(options: argparse.Namespace, part: str, figures: Mapping[str, float]) -> None:
    """Keep figures for `ludwig-serverless cost`, each with its day and its command; others stay."""
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
    path.write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def say(line: str) -> None:
    """Tell what is being measured, on stderr."""
    print(line, file=sys.stderr, flush=True)


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
