"""The work of a cluster: stripes of about the same size, answered once, also after a kill, and errors as messages."""

import json
from pathlib import Path

import pytest

from ludwig_serverless.batch.errors import BatchError
from ludwig_serverless.batch.local import BatchJob
from ludwig_serverless.batch.plan import BatchPlan, InputFile, Place, input_files
from ludwig_serverless.batch.stripes import Stripe, StripeAnswerer, StripeResult, Tally, split
from ludwig_serverless.batch.writing import finished_parts


def job(source: Path, output: Path, bundles: Path) -> BatchJob:
    files = input_files(Place(str(source)))
    plan = BatchPlan(files, {}, "compact", (), None, "text", 20, "jsonl", "en")
    output.mkdir(exist_ok=True)  # the stored plan is there before an engine starts
    return BatchJob(plan, (str(bundles),), str(source), str(output))


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Return five parts of 20 rows; the rows 3 and 43 cannot be read."""
    lines = [json.dumps({"text": f"fly to Paris {number}"}) for number in range(102)]
    lines[3] = lines[43] = "no object"
    path = tmp_path / "in.jsonl"
    path.write_text("\n".join(lines))
    return path


def test_a_file_has_as_many_stripes_as_its_share_of_all_bytes() -> None:
    files = [InputFile("a", "csv", size, "") for size in (750, 250, 0, 1)]
    plan = BatchPlan(files, {}, "compact", (), None, "text", 20, "jsonl", "en")
    stripes = split(plan, 2)
    assert [sum(stripe.file == file for stripe in stripes) for file in range(4)] == [12, 4, 1, 1]
    assert stripes[:2] == [Stripe(0, 0, 12), Stripe(0, 1, 12)]


def test_the_stripes_of_a_file_have_all_its_parts_once(source: Path, tmp_path: Path, bundles: Path) -> None:
    answerer, tally = StripeAnswerer(job(source, tmp_path / "out", bundles), frozenset()), Tally()
    for number in range(3):
        tally.add(answerer.answer(Stripe(0, number, 3)))
    assert (tally.written.rows, tally.written.errors) == (100, 2)
    assert len(finished_parts(Place(str(tmp_path / "out")), "jsonl")) == 5
    rows = [
        json.loads(line)["text"]
        for path in sorted((tmp_path / "out").glob("part-*"))
        for line in path.read_text().splitlines()
    ]
    assert rows == [f"fly to Paris {number}" for number in range(102) if number not in (3, 43)]


def test_the_parts_of_a_killed_process_count_and_those_of_an_earlier_run_do_not(
    source: Path, tmp_path: Path, bundles: Path
) -> None:
    first = StripeAnswerer(job(source, tmp_path / "out", bundles), frozenset()).answer(Stripe(0, 0, 1))
    written = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.jsonl")}
    again = StripeAnswerer(job(source, tmp_path / "out", bundles), frozenset()).answer(Stripe(0, 0, 1))
    assert first == again == StripeResult(100, 2, 1.0, "")
    finished = finished_parts(Place(str(tmp_path / "out")), "jsonl")
    later = StripeAnswerer(job(source, tmp_path / "out", bundles), finished).answer(Stripe(0, 0, 1))
    assert later == StripeResult(0, 0, 1.0, "")
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.jsonl")} == written


def test_what_stops_the_run_is_a_message_that_is_raised_once(source: Path, tmp_path: Path) -> None:
    result = StripeAnswerer(job(source, tmp_path / "out", tmp_path / "none"), frozenset()).answer(Stripe(0, 0, 1))
    assert "none" in result.failure
    with pytest.raises(BatchError, match="none"):
        Tally().add(result)


def test_a_file_that_a_killed_process_was_writing_is_ignored_and_removed_at_the_end(tmp_path: Path) -> None:
    output = Place(str(tmp_path / "out"))
    output.write("part-00000-000000.jsonl", b"{}\n")
    output.write("errors/part-00000-000000.jsonl", b"{}\n")
    for name in ("part-00000-000001.jsonl.0f.tmp", "errors/part-00000-000001.jsonl.0f.tmp"):
        (tmp_path / "out" / name).write_text("{")
    assert finished_parts(output, "jsonl") == {"part-00000-000000"}
    output.remove_unfinished()
    assert [path.name for path in sorted((tmp_path / "out").rglob("*.*"))] == ["part-00000-000000.jsonl"] * 2
