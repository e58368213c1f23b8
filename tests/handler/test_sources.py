"""Fetch bundles from S3 (moto's server, over HTTP) and from the Hub (a stand-in for its API, over HTTP)."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import msgspec
import pytest

from handler import sources
from handler.bundle import MANIFEST, describe_file, read_bundle
from handler.errors import BundleError, TooLargeError
from handler.predictor import load_predictors
from handler.sources import local_folders, remote_source
from tests.bundles import INTENT, LANGUAGE, edit_manifest, write_bundle
from tests.handler.hub import Hub, running_hub, send_library_to
from tests.processes import use_empty_aws

ROOT = Path(__file__).parents[2]
BUCKET = "models"


@pytest.fixture
def s3(aws_address: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Yield a client of an empty S3 with one bucket, and let the handler use the same server."""
    use_empty_aws(aws_address, monkeypatch)
    client = boto3.client("s3")
    client.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    return client


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """Yield an empty hub, and let the handler use it."""
    with running_hub() as running:
        send_library_to(running, tmp_path / "hub-cache", monkeypatch)
        yield running


def upload(client: Any, folder: Path, prefix: str) -> None:
    for path in folder.iterdir():
        client.upload_file(str(path), BUCKET, f"{prefix}/{path.name}")


def contents(folder: Path, prefix: str = "") -> dict[str, bytes]:
    return {f"{prefix}{path.name}": path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def intent(tmp_path: Path) -> Path:
    return write_bundle(tmp_path / "intent", INTENT)


@pytest.fixture
def language(tmp_path: Path) -> Path:
    return write_bundle(tmp_path / "language", LANGUAGE)


def fetched(cache: Path, *names: str) -> list[str]:
    return sorted(load_predictors(local_folders(names, cache)))


def test_several_locations_are_fetched(s3: Any, hub: Hub, intent: Path, language: Path, tmp_path: Path) -> None:
    upload(s3, intent, "prod/v1/intent")
    hub.files["me/nlu"] = {"README.md": b"# hi", **contents(language)}
    slots = write_bundle(tmp_path / "own" / "slots", INTENT, name="slots")
    names = (f"s3://{BUCKET}/prod/v1", "hf://me/nlu@main", str(slots))
    assert fetched(tmp_path / "cache", *names) == ["intent", "language", "slots"]


def test_a_location_can_be_a_single_bundle(s3: Any, intent: Path, tmp_path: Path) -> None:
    upload(s3, intent, "intent")
    upload(s3, intent, "intent-of-another-name-that-begins-alike")
    assert fetched(tmp_path / "cache", f"s3://{BUCKET}/intent/") == ["intent"]


def test_complete_files_are_not_downloaded_again(s3: Any, intent: Path, tmp_path: Path) -> None:
    upload(s3, intent, "intent")
    cache = tmp_path / "cache"
    fetched(cache, f"s3://{BUCKET}/intent")
    before = {path: path.stat().st_mtime_ns for path in cache.rglob("*.onnx")}
    fetched(cache, f"s3://{BUCKET}/intent")
    assert {path: path.stat().st_mtime_ns for path in cache.rglob("*.onnx")} == before


def test_a_new_version_replaces_the_old_one(s3: Any, intent: Path, language: Path, tmp_path: Path) -> None:
    upload(s3, intent, "all/intent")
    upload(s3, language, "all/language")
    assert fetched(tmp_path / "cache", f"s3://{BUCKET}/all") == ["intent", "language"]
    for path in language.iterdir():
        s3.delete_object(Bucket=BUCKET, Key=f"all/language/{path.name}")
    upload(s3, write_bundle(tmp_path / "new", INTENT, name="greeter"), "all/intent")
    assert fetched(tmp_path / "cache", f"s3://{BUCKET}/all") == ["greeter"]


def begun(cache: Path, bundle: Path, content: Callable[[bytes], bytes]) -> Path:
    """Leave a partial graph where an interrupted start leaves it."""
    (whole,) = cache.rglob("model.onnx")
    partial = whole.with_name("model.onnx.part")
    whole.unlink()
    partial.write_bytes(content((bundle / "model.onnx").read_bytes()))
    return partial


@pytest.mark.parametrize(
    "content",
    [lambda graph: graph[:100], lambda graph: graph, lambda _: b"stale", lambda graph: graph + b"more"],
    ids=["a beginning", "all", "something else", "too much"],
)
def test_an_interrupted_download_resumes(
    s3: Any, intent: Path, tmp_path: Path, content: Callable[[bytes], bytes]
) -> None:
    upload(s3, intent, "intent")
    cache = tmp_path / "cache"
    fetched(cache, f"s3://{BUCKET}/intent")
    partial = begun(cache, intent, content)
    assert fetched(cache, f"s3://{BUCKET}/intent") == ["intent"]
    assert not partial.exists()


def test_only_the_missing_bytes_are_requested(
    s3: Any, intent: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from handler.s3 import S3Source

    upload(s3, intent, "intent")
    source = S3Source(BUCKET, "intent")
    asked: list[str] = []
    get = source._client.get_object
    monkeypatch.setattr(source._client, "get_object", lambda **call: asked.append(call["Range"]) or get(**call))
    target = tmp_path / "part"
    target.write_bytes((intent / "model.onnx").read_bytes()[:100])
    source.fetch("model.onnx", target, 1_000_000)
    assert asked == ["bytes=100-"]
    assert target.read_bytes() == (intent / "model.onnx").read_bytes()


def test_an_interrupted_download_from_the_hub_resumes(hub: Hub, intent: Path, tmp_path: Path) -> None:
    """The library writes chunks of 10 MB, and resumes after the last complete one."""
    files = msgspec.to_builtins(read_bundle(intent).files)
    (intent / "LICENSE").write_bytes(b"free " * 5_000_000)
    license_file = msgspec.to_builtins(describe_file(intent / "LICENSE"))
    edit_manifest(intent, files={**files, "LICENSE": license_file})
    hub.files["me/intent"] = contents(intent)
    hub.cut = 15_000_000
    assert fetched(tmp_path / "cache", "hf://me/intent") == ["intent"]
    assert hub.cut is None
    assert max(hub.starts) >= 10_000_000


def altered(files: dict[str, bytes]) -> dict[str, bytes]:
    graph = files["model.onnx"]
    return {**files, "model.onnx": graph[:-1] + bytes([graph[-1] ^ 1])}


def without_graph(files: dict[str, bytes]) -> dict[str, bytes]:
    return {name: content for name, content in files.items() if name != "model.onnx"}


def relabeled(files: dict[str, bytes]) -> dict[str, bytes]:
    return {**files, MANIFEST: files[MANIFEST].replace(b"greeting", b"farewell")}


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (altered, "model.onnx of bundle 'intent' was altered: .* Publish it again, with all its files"),
        (without_graph, r"lacks \['model.onnx'\], which .*manifest.json lists"),
        (relabeled, "manifest.json was altered after it was written"),
        (lambda _: {"README.md": b"#"}, r"No bundle in .* Found 1 files \(README.md ...\)"),
        (lambda _: {MANIFEST: b"{}"}, "is not a manifest"),
    ],
    ids=["altered", "missing", "relabeled", "no bundle", "no manifest"],
)
@pytest.mark.parametrize("kind", ["s3", "hub"])
def test_incomplete_and_altered_bundles_are_refused(
    kind: str,
    spoil: Callable[[dict[str, bytes]], dict[str, bytes]],
    message: str,
    s3: Any,
    hub: Hub,
    intent: Path,
    tmp_path: Path,
) -> None:
    files = spoil(contents(intent))
    hub.files["me/intent"] = files
    for name, content in files.items():
        s3.put_object(Bucket=BUCKET, Key=f"p/{name}", Body=content)
    with pytest.raises(BundleError, match=message):
        fetched(tmp_path / "cache", {"s3": f"s3://{BUCKET}/p", "hub": "hf://me/intent"}[kind])


@pytest.mark.parametrize("name", ["model.onnx", MANIFEST])
@pytest.mark.parametrize("kind", ["s3", "hub"])
def test_a_file_over_its_size_is_not_downloaded(
    kind: str, name: str, s3: Any, hub: Hub, intent: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "MAX_MANIFEST_BYTES", 100_000)
    upload(s3, intent, "intent")
    large = b"\0" * 20_000_000
    s3.put_object(Bucket=BUCKET, Key=f"intent/{name}", Body=large)
    hub.files["me/intent"] = {**contents(intent), name: large}
    cache = tmp_path / "cache"
    with pytest.raises(TooLargeError, match=rf"{name} has 20000000 bytes, but the bundle.s file has at most \d+"):
        fetched(cache, {"s3": f"s3://{BUCKET}/intent", "hub": "hf://me/intent"}[kind])
    assert sum(path.stat().st_size for path in cache.rglob("*") if path.is_file()) < 100_000


def test_a_partial_file_does_not_bypass_the_size_limit(s3: Any, intent: Path, tmp_path: Path) -> None:
    upload(s3, intent, "intent")
    cache = tmp_path / "cache"
    fetched(cache, f"s3://{BUCKET}/intent")
    partial = begun(cache, intent, lambda graph: graph[:100])
    s3.put_object(Bucket=BUCKET, Key="intent/model.onnx", Body=b"\0" * 5_000_000)
    with pytest.raises(TooLargeError, match="has 5000000 bytes"):
        fetched(cache, f"s3://{BUCKET}/intent")
    assert partial.stat().st_size == 100


def test_a_pinned_uri_accepts_only_the_bundle_with_its_seal(
    s3: Any, hub: Hub, intent: Path, language: Path, tmp_path: Path
) -> None:
    seal = read_bundle(intent).seal
    upload(s3, intent, "v3/intent")
    hub.files["me/intent"] = contents(intent)
    places = [
        f"s3://{BUCKET}/v3/intent#seal={seal}",
        f"s3://{BUCKET}/v3#seal={seal}",
        f"hf://me/intent@main#seal={seal}",
    ]
    for place in places:
        assert fetched(tmp_path / "cache", place) == ["intent"]
    other = write_bundle(tmp_path / "other", INTENT, length=5)
    upload(s3, other, "v3/intent")
    hub.files["me/intent"] = contents(other)
    for place in places:
        with pytest.raises(
            BundleError, match=f"has the seal {read_bundle(other).seal}, but the URI is pinned to {seal}"
        ):
            fetched(tmp_path / "cache", place)
    upload(s3, language, "v3/language")
    with pytest.raises(
        BundleError, match=r"v3 is pinned to one seal but contains 2 bundles \(intent/manifest.json, langu"
    ):
        fetched(tmp_path / "cache", places[1])


@pytest.mark.parametrize("seal", ["", "abc", "A" * 64, "0" * 65])
def test_a_pin_must_be_a_complete_seal(seal: str, tmp_path: Path) -> None:
    with pytest.raises(
        BundleError, match="has no valid seal after #seal=: give the 64 hex digits of `seal` in the bundle's manifest"
    ):
        fetched(tmp_path, f"s3://{BUCKET}/intent#seal={seal}")


def test_a_commit_of_the_hub_is_verified(hub: Hub, intent: Path, language: Path, tmp_path: Path) -> None:
    hub.files["me/nlu"] = {}
    commit = hub.commit("me/nlu", dict(contents(intent)))
    hub.commit("me/nlu", dict(contents(language)))
    assert fetched(tmp_path / "cache", f"hf://me/nlu@{commit}") == ["intent"]
    assert fetched(tmp_path / "cache", "hf://me/nlu") == ["language"]
    hub.tags["me/nlu"] = {commit: hub.head("me/nlu")}
    with pytest.raises(
        BundleError, match=f"@{commit} names a commit, but the Hub returned commit {hub.head('me/nlu')}"
    ):
        fetched(tmp_path / "cache", f"hf://me/nlu@{commit}")


def test_leftovers_of_a_download_are_not_part_of_the_bundle(hub: Hub, intent: Path, tmp_path: Path) -> None:
    hub.files["me/intent"] = contents(intent)
    cache = tmp_path / "cache"
    fetched(cache, "hf://me/intent")
    (folder,) = {path.parent for path in cache.rglob(MANIFEST)}
    (folder / "vocabulary-of-an-older-model.json.part").write_text("[]")
    assert fetched(cache, "hf://me/intent") == ["intent"]
    assert {path.name for path in folder.iterdir()} == set(contents(intent))


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("s3://nobody/x", r"s3://nobody/x/ cannot be read \(NoSuchBucket\)\. Check the bucket's name"),
        ("s3://models/nothing", "No bundle in s3://models/nothing: .* Found 0 files"),
        ("hf://me/nothing", r"hf://me/nothing cannot be read \(RepositoryNotFoundError\)"),
        ("hf://me/here@v9", r"hf://me/here@v9 cannot be read \(RevisionNotFoundError\)"),
        ("ftp://x/y", "ftp://x/y is not a location of bundles: give a folder, s3://"),
        ("hf://justme", "hf://justme is not a location of bundles"),
        ("s3://", "s3:// is not a location of bundles"),
    ],
)
def test_an_invalid_location_is_refused(place: str, message: str, s3: Any, hub: Hub, tmp_path: Path) -> None:
    hub.files["me/here"] = {}
    with pytest.raises(BundleError, match=message):
        fetched(tmp_path / "cache", place)


CLOSED = "http://127.0.0.1:9"


@pytest.mark.parametrize(
    ("variables", "found"),
    [
        ({"AWS_ENDPOINT_URL": CLOSED}, "EndpointConnectionError"),
        ({"AWS_ENDPOINT_URL": "http://nowhere.invalid"}, "EndpointConnectionError"),
        ({"AWS_ENDPOINT_URL": "http://nowhere.invalid", "HTTP_PROXY": CLOSED}, "ProxyConnectionError"),
    ],
    ids=["closed port", "no such host", "no proxy"],
)
def test_unreachable_s3_is_an_error_with_advice(
    variables: dict[str, str], found: str, s3: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(BundleError, match=rf"cannot be read \({found}\)\. S3 cannot be reached: check the network"):
        fetched(tmp_path / "cache", f"s3://{BUCKET}/p")


@pytest.mark.parametrize(
    ("is_offline", "said"),
    [(False, "The Hub cannot be reached: check the network"), (True, "HF_HUB_OFFLINE is set")],
    ids=["closed port", "offline"],
)
def test_an_unreachable_hub_is_an_error_with_advice(
    is_offline: bool, said: str, intent: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import huggingface_hub

    with running_hub() as hub:
        send_library_to(hub, tmp_path / "hub-cache", monkeypatch)
        hub.files["me/intent"] = contents(intent)
        source = remote_source("hf://me/intent")
    assert source is not None
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", is_offline)
    monkeypatch.setattr(time, "sleep", lambda _: None)  # the library retries for 24 s
    with pytest.raises(BundleError, match=said) as found:
        remote_source("hf://me/intent")
    with pytest.raises(BundleError, match=said) as fetched_file:
        source.fetch(MANIFEST, tmp_path / "partial", 1_000_000)
    assert "Check the name" not in f"{found.value} {fetched_file.value}"


def test_a_failing_hub_is_an_error_with_advice(hub: Hub) -> None:
    hub.failing = True
    with pytest.raises(BundleError, match="The Hub returned status 500: try again"):
        remote_source("hf://me/intent")


def test_a_bundle_that_does_not_fit_on_the_disk_is_refused(
    s3: Any, intent: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload(s3, intent, "intent")
    usage = shutil.disk_usage(tmp_path)._replace(free=10)
    monkeypatch.setattr(sources.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(
        BundleError, match=r"needs .* MB, but .* has only 0\.0 MB free\. Give the function more ephemeral"
    ):
        fetched(tmp_path / "cache", f"s3://{BUCKET}/intent")


@pytest.mark.parametrize(("place", "library"), [("s3://models/x", "boto3"), ("hf://me/x", "huggingface_hub")])
def test_a_missing_library_is_an_error_with_advice(
    place: str, library: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(BundleError, match=rf"needs {library}, .*environment\.py fetch`.*\[fetch\]'`, or .*FETCH=1"):
        fetched(tmp_path, place)


def test_a_start_without_its_bundle_fails_with_one_sentence(s3: Any) -> None:
    environ = {**os.environ, "NLU_BUNDLES": f"s3://{BUCKET}/nothing", "NLU_OPEN": "1"}
    command = [sys.executable, "-c", "import handler.entrypoint"]
    started = subprocess.run(command, env=environ, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert started.returncode == 1
    assert f"BundleError: No bundle in s3://{BUCKET}/nothing" in started.stderr
