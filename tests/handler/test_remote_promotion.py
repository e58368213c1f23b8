"""Shadows in S3 (moto's server) and on the Hub (a stand-in for its API), and what `promote` prints for them."""

from pathlib import Path
from typing import Any

import boto3
import pytest

from handler import logs
from handler.__main__ import main
from handler.bundle import read_bundle
from handler.hexabot import load_service
from handler.predictor import load_predictors
from handler.settings import Settings
from handler.shadow_bundles import load_shadows
from handler.sources import local_folders
from tests.bundles import TAGGER, Head, write_bundle, write_standard_bundles
from tests.handler.hub import running_hub, send_library_to
from tests.processes import use_empty_aws

BUCKET = "models"
OTHER = Head(name="intent", kind="category", words={"fly": "book_flight", "hotel": "book_flight"})
LIVE, SHADOW = f"s3://{BUCKET}/nlu/v3", f"s3://{BUCKET}/nlu/intent-v4"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NLU_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def bundles(aws_address: str, tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the standard bundles, which are in S3 too, with a shadow of the intent elsewhere in the bucket."""
    use_empty_aws(aws_address, monkeypatch)
    client: Any = boto3.client("s3")
    client.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    folder = write_standard_bundles(tmp_path / "bundles")
    shadow = write_bundle(tmp_path / "next" / "intent", OTHER)
    for root, prefix in ((folder, "nlu/v3"), (shadow, "nlu/intent-v4")):
        for path in (each for each in root.rglob("*") if each.is_file()):
            client.upload_file(str(path), BUCKET, f"{prefix}/{path.relative_to(root).as_posix()}")
    return folder


def test_a_shadow_in_s3_is_fetched_for_the_comparison(
    bundles: Path, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    logs.configure("WARNING")
    locations = (SHADOW, f"s3://{BUCKET}/nothing", f"{SHADOW}#seal={'0' * 64}")
    settings = Settings(bundles=(str(bundles),), open=True, cache=str(cache), shadows=locations)
    shadows = load_shadows(load_service(settings).predictors, settings)
    assert shadows.predictors["intent"].predict([{"text": "hotel"}])[0]["intent_predictions"] == "book_flight"
    assert [problem.split(":")[0] for problem in shadows.problems] == ["No bundle in s3", "s3"]
    assert "the URI is pinned to" in shadows.problems[1]


def test_the_new_locations_are_printed_and_serve_the_shadow(
    bundles: Path, tmp_path: Path, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seal = read_bundle(tmp_path / "next" / "intent").seal
    assert main(["promote", LIVE, "intent", "--shadow", SHADOW]) == 0
    printed = capsys.readouterr().out
    new = f"{LIVE}/language,{LIVE}/slots,{SHADOW}#seal={seal}"
    assert f"  Bundles={new}\n  ExpectedModels=intent@{seal[:12]},language@" in printed
    assert printed.endswith(f"To undo it, deploy with the earlier value:\n\n  Bundles={LIVE}\n")
    predictors = load_predictors(local_folders(new.split(","), cache))
    assert sorted(predictors) == ["intent", "language", "slots"]
    assert predictors["intent"].manifest.seal == seal
    # A second promotion takes the place of the single bundle only.
    assert main(["promote", new, "intent", "--shadow", f"{LIVE}/intent"]) == 0
    live = read_bundle(bundles / "intent").seal
    again = f"  Bundles={LIVE}/language,{LIVE}/slots,{LIVE}/intent#seal={live}\n"
    assert again in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([LIVE, "intent"], "name the shadow's location with --shadow URI"),
        ([LIVE, "intent", "--undo"], "to undo, deploy with the earlier value of Bundles"),
        ([LIVE, "mood", "--shadow", SHADOW], f"{LIVE} contains no bundle named 'mood'"),
        ([LIVE, "slots", "--shadow", SHADOW], f"{SHADOW} contains no bundle named 'slots'"),
    ],
)
def test_a_promotion_that_cannot_be_is_refused(
    bundles: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert main(["promote", *arguments]) == 1
    assert message in capsys.readouterr().err


def test_a_revision_on_the_hub_cannot_be_taken_apart(
    bundles: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with running_hub() as hub:
        send_library_to(hub, tmp_path / "hub-cache", monkeypatch)
        both = tmp_path / "both"
        write_bundle(both / "intent", OTHER)
        hub.files["me/intent"] = {path.name: path.read_bytes() for path in (bundles / "intent").iterdir()}
        write_bundle(both / "slots", TAGGER)
        hub.files["me/both"] = {
            path.relative_to(both).as_posix(): path.read_bytes() for path in both.rglob("*") if path.is_file()
        }
        assert main(["promote", "hf://me/both@main", "intent", "--shadow", SHADOW]) == 1
        assert "contains 2 bundles, and a location on the Hub names all of them" in capsys.readouterr().err
        assert main(["promote", "hf://me/intent@main", "intent", "--shadow", SHADOW]) == 0
        assert f"  Bundles={SHADOW}#seal=" in capsys.readouterr().out
