"""Publishing to S3 and fetching from it, on the command line, with moto's S3 over HTTP."""

import json
from pathlib import Path
from typing import Any

import boto3
import pytest

from handler.errors import BundleError
from handler.predictor import load_predictors
from handler.sources import local_folders
from tests.training.publishing.breaking import proxy_to
from tests.training.publishing.conftest import BUCKET, UTTERANCE, Made, write_proven_bundle, write_run
from training.__main__ import main

URI = f"s3://{BUCKET}/nlu/intent"


def publish(made: Made, *more: str) -> int:
    return main(["publish", *made.arguments, "--to", URI, *more])


def keys(s3: Any) -> list[str]:
    return [found["Key"] for found in s3.list_objects_v2(Bucket=BUCKET).get("Contents", ())]


def written(s3: Any) -> dict[str, Any]:
    return {key: s3.head_object(Bucket=BUCKET, Key=key)["LastModified"] for key in keys(s3)}


def content(s3: Any, key: str) -> bytes:
    body: bytes = s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
    return body


@pytest.fixture
def other(tmp_path: Path) -> Made:
    """Write another run with its bundle."""
    run = tmp_path / "runs" / "other"
    write_run(run, b"other weights")
    return Made(run, write_proven_bundle(tmp_path / "bundles" / "other", run))


def test_a_published_version_can_be_served_and_fetched(
    made: Made, s3: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert publish(made, "--version", "v1") == 0
    assert capsys.readouterr().out == f"{URI}/v1\n"
    assert UTTERANCE.encode() not in b"".join(content(s3, key) for key in keys(s3))

    predictors = load_predictors(local_folders([f"{URI}/v1"], tmp_path / "cache"))
    assert [row["intent_predictions"] for row in predictors["intent"].predict([{"text": "fly"}])] == ["book_flight"]

    for number, uri in enumerate([URI, f"{URI}/", f"{URI}/latest", f"{URI}/v1"]):
        output = tmp_path / f"back{number}"
        assert main(["fetch", uri, "--output", str(output)]) == 0
        found = {f"nlu/intent/v1/{path.relative_to(output)}" for path in output.rglob("*") if path.is_file()}
        assert found == {key for key in keys(s3) if "/v1/" in key}
    assert not list(tmp_path.glob(".*-fetching"))


def test_the_same_content_is_published_once(made: Made, s3: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert publish(made) == 0
    uri, before = capsys.readouterr().out, written(s3)
    assert publish(made) == 0
    out, err = capsys.readouterr()
    assert out == uri
    assert "Nothing to do: this content is already published." in err
    assert written(s3) == before


def test_a_version_never_changes(made: Made, other: Made, s3: Any, capsys: pytest.CaptureFixture[str]) -> None:
    publish(made, "--version", "v1")
    before = written(s3)
    for more in ([], ["--replace"]):
        assert publish(other, "--version", "v1", *more) == 1
        assert "a version" in (err := capsys.readouterr().err)
        assert "choose another --version" in err
    assert written(s3) == before


def test_latest_is_the_newest_version(made: Made, other: Made, s3: Any, tmp_path: Path) -> None:
    publish(made, "--version", "v1")
    publish(other, "--version", "v2")
    publish(made, "--version", "v1")
    assert json.loads(content(s3, "nlu/intent/latest.json")) == {"version": "v2"}
    output = tmp_path / "back"
    assert main(["fetch", URI, "--output", str(output)]) == 0
    assert (output / "model" / "model_weights.safetensors").read_bytes() == b"other weights"


def test_an_altered_file_is_not_kept(made: Made, s3: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    publish(made, "--version", "v1")
    key = "nlu/intent/v1/model/model_weights.safetensors"
    s3.put_object(Bucket=BUCKET, Key=key, Body=b"altered")
    assert main(["fetch", URI, "--output", str(tmp_path / "back")]) == 1
    assert f"model/model_weights.safetensors of {URI}/v1 was altered: it has 7 bytes" in capsys.readouterr().err
    assert not (tmp_path / "back").exists()


@pytest.mark.parametrize("breaks_at", ["model/model_weights.safetensors", "bundle/manifest.json", "latest.json"])
def test_an_interrupted_publication_is_invisible_and_resumes(
    breaks_at: str,
    made: Made,
    other: Made,
    s3: Any,
    aws_address: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    publish(other, "--version", "v0")
    with proxy_to(aws_address) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.address)
        proxy.breaks_at = breaks_at
        assert publish(made, "--version", "v1") == 1
        assert f"Cannot write to {URI}/: " in capsys.readouterr().err
        assert json.loads(content(s3, "nlu/intent/latest.json")) == {"version": "v0"}
        if breaks_at != "latest.json":
            with pytest.raises(BundleError, match="No bundle in"):
                list(local_folders([f"{URI}/v1"], tmp_path / "cache"))
            assert main(["fetch", f"{URI}/v1", "--output", str(tmp_path / "back")]) == 1
            assert "v1 is incomplete: it lacks " in capsys.readouterr().err
        proxy.breaks_at = None
        before, proxy.sent = set(proxy.sent), []
        assert publish(made, "--version", "v1") == 0
        assert not before & set(proxy.sent)  # completed uploads are not repeated
        assert main(["fetch", URI, "--output", str(tmp_path / "back")]) == 0
    assert (tmp_path / "back" / "bundle" / "model.onnx").read_bytes() == (made.bundle / "model.onnx").read_bytes()


def test_an_unfinished_version_accepts_only_its_own_content(
    made: Made, other: Made, s3: Any, aws_address: str, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    with proxy_to(aws_address) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.address)
        proxy.breaks_at = "model.onnx"
        publish(made, "--version", "v1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws_address)
    assert publish(other, "--version", "v1") == 1
    assert f"{URI}/v1 already has other content" in capsys.readouterr().err


def test_a_fetch_resumes_and_keeps_no_file_of_another_version(
    made: Made, other: Made, s3: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    publish(made, "--version", "v1")
    publish(other, "--version", "v2", "--with-report")
    report = "nlu/intent/v2/evaluation/report.html"
    whole = content(s3, report)
    s3.put_object(Bucket=BUCKET, Key=report, Body=b"altered")
    output = tmp_path / "back"
    assert main(["fetch", f"{URI}/v2", "--output", str(output)]) == 1
    assert not output.exists()
    s3.put_object(Bucket=BUCKET, Key=report, Body=whole)
    capsys.readouterr()
    assert main(["fetch", f"{URI}/v2", "--output", str(output)]) == 0
    assert "files 5/5" in capsys.readouterr().err  # of ten
    assert main(["fetch", f"{URI}/v1", "--output", str(output)]) == 1
    assert (
        f"{output} already exists: choose another folder with --output, or replace it with --force"
        in capsys.readouterr().err
    )
    assert main(["fetch", f"{URI}/v1", "--output", str(output), "--overwrite"]) == 0
    assert not (output / "evaluation" / "report.html").exists()


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("s3://nobody/x", "does not exist (NoSuchBucket). Check the bucket name, or create"),
        ("s3://", "Cannot publish to 's3://'; expected hf://owner/name or s3://bucket/prefix"),
        ("hf://me/travel@v1", "Cannot publish to 'hf://me/travel@v1'; expected"),
        ("bundles", "Cannot publish to 'bundles'; expected"),
    ],
)
def test_an_invalid_target_is_an_error(
    uri: str, message: str, made: Made, s3: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["publish", *made.arguments, "--to", uri]) == 1
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        (
            f"s3://{BUCKET}/nothing",
            "does not contain a version that `ludwig-serverless publish` wrote: no files.json among its 0",
        ),
        (f"s3://{BUCKET}/nothing/latest", "does not contain a version that `ludwig-serverless publish` wrote"),
        ("s3://nobody/x", "s3://nobody/x/ cannot be read (NoSuchBucket)"),
        ("bundles/intent", "bundles/intent is a local folder; expected hf://"),
    ],
)
def test_a_uri_without_a_version_is_an_error(
    uri: str, message: str, s3: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fetch", uri, "--output", str(tmp_path / "back")]) == 1
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_missing_credentials_are_an_error(
    made: Made, s3: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    assert publish(made) == 1
    assert f"Cannot read {URI}/: Unable to locate credentials. Set AWS_PROFILE" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("variables", "found"),
    [
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}, "EndpointConnectionError"),
        ({"AWS_ENDPOINT_URL": "http://s3.invalid", "HTTP_PROXY": "http://127.0.0.1:9"}, "ProxyConnectionError"),
    ],
    ids=["closed port", "no proxy"],
)
def test_an_s3_that_cannot_be_reached(
    variables: dict[str, str],
    found: str,
    made: Made,
    s3: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert publish(made) == 1
    assert f"AWS cannot be reached ({found}" in (err := capsys.readouterr().err)
    assert "Check the network, a proxy" in err
    assert "permission" not in err
    assert main(["fetch", f"{URI}/v1", "--output", str(tmp_path / "back")]) == 1
    assert f"cannot be read ({found}). S3 cannot be reached" in capsys.readouterr().err
