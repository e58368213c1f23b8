"""Captured messages are read from files, folders and S3, whatever a crash left behind."""

import gzip
from pathlib import Path

import boto3
import pytest

from handler.captured import encode_message
from tests.processes import use_empty_aws
from tests.training.review.samples import captured, messages
from training.errors import ReviewError
from training.review.captures import read_captures


@pytest.fixture
def bucket(aws_address: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the name of an empty bucket."""
    use_empty_aws(aws_address, monkeypatch)
    location = {"LocationConstraint": "eu-west-1"}
    boto3.client("s3").create_bucket(Bucket="captures", CreateBucketConfiguration=location)
    return "captures"


def test_a_folder_is_read_with_all_its_folders_and_each_id_counts_once(tmp_path: Path) -> None:
    captured(tmp_path / "captures" / "2026")
    (tmp_path / "captures" / "notes.txt").write_text("not a capture")
    found = read_captures(str(tmp_path / "captures"))
    assert (found.messages, found.files, found.unreadable) == (messages(), 2, [])


def test_files_that_a_crash_cut_off_are_read_as_far_as_they_reach(tmp_path: Path) -> None:
    lines = [encode_message(message) for message in messages()]
    (tmp_path / "a.jsonl").write_bytes(lines[0] + lines[1][:50])
    (tmp_path / "b.jsonl.gz").write_bytes(gzip.compress(b"".join(lines[2:4])) + gzip.compress(lines[4])[:-9])
    (tmp_path / "c.jsonl.gz").write_bytes(gzip.compress(b"")[:5])
    found = read_captures(str(tmp_path))
    assert {message.id for message in found.messages} >= {"m0", "m2", "m3"}
    assert len(found.unreadable) == 3
    assert "the first is line 2" in found.unreadable[0]
    assert not any("flight" in note for note in found.unreadable)


def test_a_prefix_in_s3_is_read(tmp_path: Path, bucket: str) -> None:
    for path in captured(tmp_path).iterdir():
        boto3.client("s3").upload_file(str(path), bucket, f"captured/2026/{path.name}")
    found = read_captures(f"s3://{bucket}/captured/")
    assert (found.messages, found.files) == (messages(), 2)
    with pytest.raises(ReviewError, match="has no captured messages"):
        read_captures(f"s3://{bucket}/elsewhere")


def test_a_missing_bucket_is_explained(bucket: str) -> None:
    with pytest.raises(ReviewError, match=r"s3://not-there/x cannot be read: .*aws s3 mb"):
        read_captures("s3://not-there/x")


def test_a_missing_or_empty_folder_says_what_to_give(tmp_path: Path) -> None:
    with pytest.raises(ReviewError, match="does not exist"):
        read_captures(str(tmp_path / "gone"))
    with pytest.raises(ReviewError, match="has no captured messages"):
        read_captures(str(tmp_path))
