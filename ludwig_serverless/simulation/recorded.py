"""Read the recorded messages of a service: times, or counts per hour or minute, as CSV or JSONL.

The access log of the template's API is such a file: CloudWatch exports it as lines of JSON with `time`.
"""

import csv
import json
import math
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from handler.errors import SettingsError
from ludwig_serverless.simulation.arrivals import Profile
from ludwig_serverless.simulation.settings import DAY, HOUR, MINUTE

TIMES = ("timestamp", "time", "date")
COUNTS = ("count", "messages", "requests")
HOURS = ("hour",)
ACCESS_LOG = "%d/%b/%Y:%H:%M:%S %z"
"""The format of $context.requestTime, which the template's access log has."""
WIDTHS = (MINUTE, HOUR, DAY)
MILLISECONDS_FROM = 1e11
"""Larger numbers are milliseconds since 1970: as seconds, they would be after the year 5000."""
SEED = 0


def read_recorded(path: Path, is_scaled: bool) -> Profile:
    """Read a file of recorded messages.

    Args:
        path: A .csv file with a header, or a file of JSON lines. Each row has a `timestamp`; or a `timestamp` and a
            `count`, for an hour or a minute; or an `hour` (0 to 23) and a `count`.
        is_scaled: Whether another number of messages is wanted. Then times are counted per minute, and new ones are
            drawn from these counts; otherwise they are replayed.

    Raises:
        SettingsError: The file is unreadable, or has no such rows.
    """
    rows = list(_rows(path))
    if not rows:
        raise SettingsError(f"{path} has no rows: expected times of messages, or counts per hour. {_hint()}")
    columns = set(rows[0][1])
    time, count, hour = (_first(names, columns) for names in (TIMES, COUNTS, HOURS))
    name = f"as recorded in {path.name}"
    if hour and count:
        hours = [_number(path, line, row, hour) for line, row in rows]
        if any(value not in range(24) for value in hours):
            raise SettingsError(f"{path} has an hour outside 0 to 23. {_hint()}")
        weights = np.zeros(24)
        np.add.at(weights, np.array(hours, dtype=int), [_count(path, line, row, count) for line, row in rows])
        return _profile(name, weights, HOUR, path)
    if time is None:
        raise SettingsError(f"{path} has no column {' or '.join(TIMES)}, only {sorted(columns)}. {_hint()}")
    times = np.array([_time(path, line, row.get(time)) for line, row in rows])
    if count:
        return _counted(name, times, np.array([_count(path, line, row, count) for line, row in rows]), path)
    return _replayed(name, np.sort(times), path, is_scaled)


def _profile(name: str, weights: np.ndarray[Any, Any], width: float, path: Path) -> Profile:
    if not weights.sum() > 0:
        raise SettingsError(f"{path} has no messages: all its counts are zero.")
    days = len(weights) * width / DAY
    return Profile(name, tuple(map(float, weights)), width, messages_per_day=float(weights.sum()) / days)


def _counted(name: str, times: np.ndarray[Any, Any], counts: np.ndarray[Any, Any], path: Path) -> Profile:
    """Return the profile of counts; each lasts as long as the smallest distance of two, a minute, an hour or a day."""
    starts = np.unique(times)
    gap = float(np.diff(starts).min()) if len(starts) > 1 else HOUR
    width = next((width for width in WIDTHS if abs(gap - width) < 1), None)
    if width is None:
        raise SettingsError(f"{path} has counts {gap:g} seconds apart: expected one per minute, hour or day. {_hint()}")
    places = np.round((times - starts[0]) / width).astype(int)
    # Whole days, so that the profile can repeat.
    weights = np.zeros(math.ceil((places.max() + 1) * width / DAY) * round(DAY / width))
    np.add.at(weights, places, counts)
    return _profile(name, weights, width, path)


def _replayed(name: str, times: np.ndarray[Any, Any], path: Path, is_scaled: bool) -> Profile:
    """Return the profile of single messages. Times of whole seconds are spread over their second."""
    if len(times) < 2 or times[-1] == times[0]:
        raise SettingsError(f"{path} has only messages of one moment: expected at least two times. {_hint()}")
    if np.all(times == np.floor(times)):
        times = np.sort(times + np.random.default_rng(SEED).random(len(times)))
    times = times - times[0]
    if is_scaled:
        minutes = np.zeros(math.ceil(times[-1] / DAY) * round(DAY / MINUTE))
        np.add.at(minutes, (times / MINUTE).astype(int), 1)
        return _profile(name, minutes, MINUTE, path)
    hours = np.bincount((times / HOUR).astype(int))
    return Profile(name, tuple(map(float, hours)), HOUR, times, len(times) / float(times[-1]) * DAY)


def _rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the number and the content of each row."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            if path.suffix == ".csv":
                yield from enumerate(csv.DictReader(file), 2)
                return
            for number, line in enumerate(file, 1):
                if line.strip():
                    row = json.loads(line)
                    if not isinstance(row, dict):
                        raise ValueError("expected a JSON object")
                    yield number, row
    except OSError as error:
        raise SettingsError(f"Cannot read {path}: {error.strerror}. Check --arrivals.") from None
    except (ValueError, csv.Error) as error:
        raise SettingsError(f"{path} is not CSV with a header or lines of JSON: {error}. {_hint()}") from None


def _first(names: tuple[str, ...], columns: set[str]) -> str | None:
    return next((name for name in names if name in columns), None)


def _time(path: Path, line: int, given: Any) -> float:
    """Return a time in seconds since 1970. A time without a zone is taken as UTC."""
    text = str(given).strip()
    try:
        number = float(text)
        if not math.isfinite(number):
            raise SettingsError(f"{path}, line {line}: expected a time, got {text!r}. {_hint()}")
        return number / 1000 if number > MILLISECONDS_FROM else number
    except ValueError:
        pass
    for parse in (datetime.fromisoformat, lambda text: datetime.strptime(text, ACCESS_LOG)):
        try:
            moment = parse(text)
        except ValueError:
            continue
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    raise SettingsError(f"{path}, line {line}: expected a time such as 2026-11-27T20:05:07Z, got {text!r}. {_hint()}")


def _count(path: Path, line: int, row: dict[str, Any], column: str) -> float:
    number = _number(path, line, row, column)
    if number < 0:
        raise SettingsError(f"{path}, line {line}: expected a count of at least 0, got {number:g}. {_hint()}")
    return number


def _number(path: Path, line: int, row: dict[str, Any], column: str) -> float:
    try:
        number = float(row[column])
    except (KeyError, TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise SettingsError(f"{path}, line {line}: expected a number in {column!r}, got {row.get(column)!r}. {_hint()}")
    return number


def _hint() -> str:
    return "`ludwig-serverless cost --help` describes the file."
