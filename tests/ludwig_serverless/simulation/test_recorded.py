"""Recorded days: every kind of file, and what is said about the others."""

import json
from pathlib import Path

import pytest

from handler.errors import SettingsError
from ludwig_serverless.simulation.recorded import read_recorded


def written(folder: Path, name: str, content: str) -> Path:
    path = folder / name
    path.write_text(content, encoding="utf-8")
    return path


def test_single_messages_keep_their_times(tmp_path: Path) -> None:
    path = written(
        tmp_path, "log.csv", "timestamp,status\n2026-11-27T10:00:00.5Z,200\n2026-11-27T09:59:58.25+00:00,200\n"
    )
    profile = read_recorded(path, is_scaled=False)
    assert profile.times is not None
    assert profile.times.tolist() == [0.0, 2.25]
    assert profile.name == "as recorded in log.csv"


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("27/Nov/2026:20:05:07 +0000", "27/Nov/2026:21:05:07 +0100"),  # API Gateway's access log: the same second
        (1764273907, 1764273907),
        (1764273907000, 1764273907000.0),
        ("2026-11-27T20:05:07", "2026-11-27T20:05:07Z"),
    ],
)
def test_whole_seconds_are_spread_over_their_second(tmp_path: Path, first: object, second: object) -> None:
    later = {"time": 1900000000} if not isinstance(first, str) else {"time": "2030-01-01T00:00:00Z"}
    lines = [{"time": first}, {"time": second}, later]
    profile = read_recorded(written(tmp_path, "log.jsonl", "\n".join(map(json.dumps, lines))), is_scaled=False)
    assert profile.times is not None
    assert 0 < profile.times[1] < 1


def test_scaled_messages_are_counted_by_minute(tmp_path: Path) -> None:
    lines = [json.dumps({"timestamp": second}) for second in (0, 10, 59.5, 60, 3600)]
    profile = read_recorded(written(tmp_path, "log.jsonl", "\n".join(lines)), is_scaled=True)
    assert profile.times is None
    assert profile.width == 60
    assert len(profile.weights) == 1440
    assert (profile.weights[0], profile.weights[1], profile.weights[60]) == (3, 1, 1)
    assert profile.messages_per_day == 5


@pytest.mark.parametrize(
    ("content", "width", "weights"),
    [
        ("hour,count\n0,5\n23,7\n0,1\n", 3600, {0: 6, 23: 7}),
        (
            "timestamp,messages\n2026-11-27T06:00:00Z,4\n2026-11-27T08:00:00Z,2\n2026-11-27T07:00:00Z,0\n",
            3600,
            {0: 4, 2: 2},
        ),
        ("timestamp,count\n0,3\n60,1\n600,2\n", 60, {0: 3, 1: 1, 10: 2}),
    ],
)
def test_counts_become_weights(tmp_path: Path, content: str, width: int, weights: dict[int, float]) -> None:
    profile = read_recorded(written(tmp_path, "counts.csv", content), is_scaled=False)
    assert profile.width == width
    assert len(profile.weights) * width == 86_400
    assert {place: weight for place, weight in enumerate(profile.weights) if weight} == weights
    assert profile.messages_per_day == sum(weights.values())


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("none.csv", None, "Cannot read .*none.csv"),
        ("log.csv", "timestamp\n", "has no rows"),
        ("log.csv", "user,text\n1,2\n", "has no column timestamp or time or date, only"),
        ("log.csv", "timestamp\nyesterday\n", "line 2: expected a time such as .*got 'yesterday'"),
        ("log.csv", "timestamp\nnan\n", "line 2: expected a time"),
        ("log.csv", "timestamp\n5\n", "only messages of one moment"),
        ("log.csv", "timestamp,count\n0,many\n", "line 2: expected a number in 'count', got 'many'"),
        ("log.csv", "timestamp,count\n0,-1\n", "expected a count of at least 0, got -1"),
        ("log.csv", "timestamp,count\n0,1\n7,1\n", "counts 7 seconds apart"),
        ("log.csv", "timestamp,count\n0,0\n60,0\n", "has no messages"),
        ("log.csv", "hour,count\n24,1\n", "an hour outside 0 to 23"),
        ("log.jsonl", "[1]\n", "expected a JSON object"),
        ("log.jsonl", "{'a': 1}\n", "is not CSV with a header or lines of JSON"),
        ("log.jsonl", '{"timestamp": 1}\n{"time": 2}\n', "line 2: expected a time"),
    ],
)
def test_other_files_are_explained(tmp_path: Path, name: str, content: str | None, said: str) -> None:
    path = tmp_path / name if content is None else written(tmp_path, name, content)
    with pytest.raises(SettingsError, match=said):
        read_recorded(path, is_scaled=False)
