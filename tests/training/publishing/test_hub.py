"""Publishing to the Hub and fetching from it, on the command line, with a local server of the Hub's HTTP API."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from handler.predictor import load_predictors
from handler.sources import local_folders
from tests.handler.hub import Hub
from tests.training.publishing.conftest import UTTERANCE, Made, write_proven_bundle, write_run
from training.__main__ import main

# huggingface_hub calls its HTTP library this way.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")

ROOT = Path(__file__).parents[3]
REPO = "me/travel"
PUBLISHED = {
    ".gitattributes",
    "README.md",
    "bundle/manifest.json",
    "bundle/model.onnx",
    "bundle/vocabulary.json",
    "evaluation/metrics.json",
    "files.json",
    "model/model_hyperparameters.json",
    "model/model_weights.safetensors",
    "model/training_set_metadata.json",
    "training.json",
}


def publish(made: Made, *more: str) -> int:
    return main(["publish", *made.arguments, "--to", f"hf://{REPO}", *more])


def test_a_published_version_can_be_served_and_fetched(
    made: Made, hub: Hub, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert publish(made, "--version", "v1", "--private") == 0
    out, err = capsys.readouterr()
    uri = f"hf://{REPO}@v1"
    assert out == f"{uri}\n"
    assert "contains 1 rows of your data, including their text" in err
    assert set(hub.at(REPO, "v1") or ()) == PUBLISHED
    assert hub.private == {REPO}

    predictors = load_predictors(local_folders([uri], tmp_path / "cache"))
    assert [row["intent_predictions"] for row in predictors["intent"].predict([{"text": "fly"}])] == ["book_flight"]

    output = tmp_path / "back"
    assert main(["fetch", uri, "--output", str(output)]) == 0
    found = {str(path.relative_to(output)) for path in output.rglob("*") if path.is_file()}
    assert found == PUBLISHED - {".gitattributes"}
    for path in (made.run / "model" / "model_weights.safetensors", made.bundle / "model.onnx"):
        assert (output / path.parent.name.replace("intent", "bundle") / path.name).read_bytes() == path.read_bytes()
    assert not list(tmp_path.glob(".*-fetching"))


def test_neither_utterances_nor_local_paths_are_published(made: Made, hub: Hub, tmp_path: Path) -> None:
    assert publish(made) == 0
    everything = b"".join(hub.files[REPO].values())
    assert str(tmp_path).encode() not in everything
    assert UTTERANCE.encode() not in everything
    config = json.loads(hub.files[REPO]["model/model_hyperparameters.json"])
    assert config["input_features"][0]["encoder"]["pretrained_model_name_or_path"] == "minilm"
    assert json.loads(hub.files[REPO]["model/training_set_metadata.json"])["text"]["idx2str"] == ["fly", "/start"]


def test_the_report_is_published_only_on_request(made: Made, hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    assert publish(made, "--with-report") == 0
    assert UTTERANCE.encode() in hub.files[REPO]["evaluation/report.html"]
    assert "The report quotes utterances" in capsys.readouterr().err


def test_a_version_is_one_commit(made: Made, hub: Hub) -> None:
    publish(made, "--version", "v1")
    first, *more = hub.commits[REPO].values()
    assert set(first) == {".gitattributes"}
    assert [set(files) for files in more] == [PUBLISHED]


def test_the_same_content_is_published_once(made: Made, hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    assert publish(made) == 0
    (version,) = hub.tags[REPO]
    uri = capsys.readouterr().out
    assert publish(made) == 0
    out, err = capsys.readouterr()
    assert out == uri == f"hf://{REPO}@{version}\n"
    assert "Nothing to do: this content is already published." in err
    assert publish(made, "--version", version) == 0
    assert (len(hub.commits[REPO]), list(hub.tags[REPO])) == (2, [version])


def test_a_version_is_replaced_only_on_request(
    made: Made, hub: Hub, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    publish(made, "--version", "v1", "--with-report")
    hub.commit(REPO, {"NOTES.md": b"mine"})
    run = tmp_path / "runs" / "other"
    write_run(run, b"other weights")
    other = Made(run, write_proven_bundle(tmp_path / "bundles" / "other", run))
    before = dict(hub.files[REPO])
    assert publish(other, "--version", "v1") == 1
    assert "hf://me/travel@v1 already exists with other content: choose another --version, or" in (
        capsys.readouterr().err
    )
    assert hub.files[REPO] == before
    assert publish(other, "--version", "v1", "--replace") == 0
    now = hub.at(REPO, "v1") or {}
    assert now["model/model_weights.safetensors"] == b"other weights"
    assert set(now) == PUBLISHED | {"NOTES.md"}  # files of the old version are gone, unrelated files stay


def environ(hub: Hub, home: Path) -> dict[str, str]:
    changes = {
        "HF_ENDPOINT": hub.address,
        "HF_HOME": str(home),
        "HF_TOKEN": "hf_write",
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
    }
    return {**os.environ, **changes}


def test_an_interrupted_publication_leaves_nothing_and_resumes(made: Made, hub: Hub, tmp_path: Path) -> None:
    """The process is killed while it uploads a large file, as in a power failure."""
    hub.stuck = 3
    arguments = [*made.arguments, "--to", f"hf://{REPO}", "--version", "v1"]
    command = [sys.executable, "-m", "training", "publish", *arguments]
    process = subprocess.Popen(command, env=environ(hub, tmp_path / "home"), cwd=ROOT, stderr=subprocess.DEVNULL)
    try:
        assert hub.is_stuck.wait(60)
    finally:
        process.kill()
        process.wait()
    assert set(hub.files[REPO]) == {".gitattributes"}
    assert hub.tags == {}
    sent = list(hub.uploads)

    hub.stuck = None
    assert publish(made, "--version", "v1") == 0
    assert set(hub.at(REPO, "v1") or ()) == PUBLISHED
    assert len(sent) == 1
    assert len(hub.uploads) == len(set(hub.uploads)) == 2  # completed uploads are not repeated


def test_a_commit_without_its_tag_is_not_repeated(made: Made, hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    hub.broken = {"tag"}
    assert publish(made, "--version", "v1") == 1
    assert "Cannot write to hf://me/travel (HfHubHTTPError 500" in capsys.readouterr().err
    assert hub.tags == {}
    hub.broken = set()
    assert publish(made, "--version", "v1") == 0
    assert len(hub.commits[REPO]) == 2
    assert set(hub.at(REPO, "v1") or ()) == PUBLISHED


@pytest.mark.parametrize(
    ("token", "message"),
    [
        (
            None,
            "Publishing to the Hub needs a token: run `hf auth login`, or set HF_TOKEN",
        ),
        (
            "hf_wrong",
            "Cannot create hf://me/travel (HfHubHTTPError 401: Invalid username or password.). The Hub rejects",
        ),
        ("hf_read", "Cannot create hf://me/travel (HfHubHTTPError 403: No write access.). The token lacks write"),
    ],
    ids=["none", "wrong", "for reading only"],
)
def test_a_missing_or_insufficient_token_is_an_error(
    token: str | None,
    message: str,
    made: Made,
    hub: Hub,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.delenv("HF_TOKEN")
    if token:
        monkeypatch.setenv("HF_TOKEN", token)
    assert publish(made) == 1
    err = capsys.readouterr().err
    assert message in err
    assert "hf_" not in err.replace("hf_hub", "")
    assert hub.files == {}


def test_a_hub_that_cannot_be_reached(
    made: Made, hub: Hub, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import huggingface_hub.hf_api

    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", "http://127.0.0.1:9")
    assert publish(made) == 1
    assert "Cannot read hf://me/travel (ConnectError). The Hub cannot be reached: check" in (
        err := capsys.readouterr().err
    )
    assert "Re-run the same command to resume." in err
    assert "token" not in err
    assert main(["fetch", "hf://me/travel@v1", "--output", str(made.run.parent / "back")]) == 1
    assert "cannot be read (ConnectError). The Hub cannot be reached: check" in capsys.readouterr().err


def test_a_card_that_the_hub_rejects(made: Made, hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    assert publish(made, "--license", "do-what-you-like") == 1
    assert '"license" must be one of [apache-2.0, ...], found do-what-you-like' in capsys.readouterr().err
    assert set(hub.files[REPO]) == {".gitattributes"}


def test_private_does_not_accept_a_public_repository(made: Made, hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    assert publish(made, "--version", "v1") == 0
    assert publish(made, "--version", "v2", "--private") == 1
    assert "hf://me/travel is public, but --private was given" in capsys.readouterr().err
    assert list(hub.tags[REPO]) == ["v1"]
