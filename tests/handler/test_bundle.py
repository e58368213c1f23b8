"""Which folders are bundles, and which are refused."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from handler import __version__
from handler.bundle import (
    MANIFEST,
    MAX_MANIFEST_BYTES,
    SCHEMA_VERSION,
    UNSEALED,
    describe_file,
    parse_manifest,
    read_bundle,
)
from handler.errors import BundleError
from tests.bundles import INTENT, TAGGER, edit_manifest, write_bundle, write_subword_bundle

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """Return a bundle that a test may alter."""
    return write_bundle(tmp_path / "intent", INTENT)


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Return the manifest on disk."""
    return (write_bundle(tmp_path_factory.mktemp("whole") / "slots", TAGGER) / MANIFEST).read_bytes()


def read(path: Path) -> dict[str, Any]:
    """Return the manifest on disk as JSON."""
    content: dict[str, Any] = msgspec.json.decode((path / MANIFEST).read_bytes())
    return content


def test_a_written_bundle_is_read_back(bundle: Path, tmp_path: Path) -> None:
    manifest = read_bundle(bundle)
    assert manifest.to_json() == (bundle / MANIFEST).read_bytes()
    assert (manifest.name, [output.name for output in manifest.outputs]) == ("intent", ["intent"])
    assert read_bundle(write_subword_bundle(tmp_path / "slots")).inputs[0].files == ["tokenizer.json"]


def test_a_manifest_starts_with_its_schema_version(bundle: Path) -> None:
    assert next(iter(read(bundle).items())) == ("schema_version", SCHEMA_VERSION)


def test_a_folder_without_a_manifest_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"is not a bundle: manifest\.json cannot be read .*ludwig-serverless export"):
        read_bundle(tmp_path)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:-1]), "was altered: .* Copy the whole bundle again"),
        (lambda path: path.write_bytes(b"\0" + path.read_bytes()[1:]), "was altered: .* Copy the whole bundle again"),
        (lambda path: path.write_bytes(b""), "was altered: it has 0 bytes"),
        (lambda path: path.unlink(), r"lacks the file model\.onnx\. Copy the whole bundle again"),
        (lambda path: path.symlink_to(path.rename(path.parents[1] / "moved")), r"lacks the file model\.onnx"),
        (lambda path: path.rename(path.parents[1] / "moved") and path.mkdir(), r"lacks the file model\.onnx"),
    ],
    ids=["truncated", "altered", "emptied", "missing", "symlink", "folder"],
)
def test_an_altered_or_missing_file_is_refused(bundle: Path, spoil: Callable[[Path], object], message: str) -> None:
    spoil(bundle / "model.onnx")
    with pytest.raises(BundleError, match=message):
        read_bundle(bundle)


def test_an_unlisted_file_is_refused(bundle: Path) -> None:
    """The graph or a later reader of the bundle could use it, and no hash covers it."""
    extras = {
        "weights.bin": lambda path: path.write_bytes(b"more"),
        ".hidden": lambda path: path.write_bytes(b""),
        "folder": lambda path: path.mkdir(),
        "link": lambda path: path.symlink_to("/etc/passwd"),
    }
    for name, make in extras.items():
        make(bundle / name)
        with pytest.raises(
            BundleError, match=rf"intent contains {name}, which its manifest does not list .*delete it or"
        ):
            read_bundle(bundle)
        (bundle / name).rmdir() if name == "folder" else (bundle / name).unlink()
    for number in range(9):
        (bundle / f"{number}").touch()
    with pytest.raises(BundleError, match="contains 0, 1, 2, 3, 4 and 4 more, which"):
        read_bundle(bundle)


def test_a_huge_manifest_is_not_read(bundle: Path) -> None:
    with (bundle / MANIFEST).open("ab") as manifest:
        manifest.truncate(MAX_MANIFEST_BYTES + 1)
    with pytest.raises(
        BundleError, match=r"manifest\.json has 10000001 bytes, but the bundle.s file has at most 10000000"
    ):
        read_bundle(bundle)


@pytest.mark.parametrize(
    ("version", "advice"),
    [
        (SCHEMA_VERSION + 1, "Upgrade the handler to the version that exported the bundle, or a later one."),
        (
            SCHEMA_VERSION - 1,
            "Export the model again with this version: `ludwig-serverless export ",
        ),
    ],
    ids=["newer", "older"],
)
def test_another_schema_is_refused(bundle: Path, version: int, advice: str) -> None:
    (bundle / MANIFEST).write_bytes(msgspec.json.encode({"schema_version": version, "what": "ever"}))
    with pytest.raises(BundleError) as refusal:
        read_bundle(bundle)
    found = f"has schema {version}; this handler ({__version__}) reads schema {SCHEMA_VERSION}. {advice}"
    assert str(refusal.value).startswith(f"{bundle / MANIFEST} {found}")


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"{}", b'{"schema_version": 3}', b'{"schema_version": "1"}', b"\xff", b"[" * 100_000],
    ids=["empty", "cut", "list", "object", "version only", "version as text", "no UTF-8", "deep"],
)
def test_a_malformed_manifest_is_refused(bundle: Path, content: bytes) -> None:
    (bundle / MANIFEST).write_bytes(content)
    with pytest.raises(BundleError, match=r"is not a manifest that this handler can read: .* Export the model again"):
        read_bundle(bundle)


@pytest.mark.parametrize(
    "name",
    ["../secret", "/etc/passwd", "a/b", "..", ".", "", "a\\b", "a\0b", "./model.onnx", MANIFEST],
    ids=repr,
)
@pytest.mark.parametrize("place", ["files", "graph", "vocabulary"])
def test_a_path_that_leaves_the_folder_is_refused(bundle: Path, place: str, name: str) -> None:
    content = read(bundle)
    secret = describe_file(bundle / MANIFEST)
    if place == "graph":
        content["graph"]["file"] = name
    elif place == "vocabulary":
        content["inputs"][0]["vocabulary"]["file"] = name
    files = {**content["files"], name: msgspec.to_builtins(secret)}
    edit_manifest(bundle, **{**content, "files": files})
    with pytest.raises(BundleError, match="not a plain file name inside the bundle") as refusal:
        read_bundle(bundle)
    assert repr(name) in str(refusal.value)


def test_a_file_name_that_is_too_long_is_refused(bundle: Path) -> None:
    edit_manifest(bundle, files={**read(bundle)["files"], "x" * 5000: {"sha256": "0", "bytes": 1}})
    with pytest.raises(BundleError, match=r"xxx.* cannot be read"):
        read_bundle(bundle)


def test_a_file_without_a_hash_is_refused(bundle: Path) -> None:
    files = read(bundle)["files"]
    edit_manifest(bundle, files={name: files[name] for name in files if name != "model.onnx"})
    with pytest.raises(BundleError, match=r"uses files that it has no hash for: \['model\.onnx'\]"):
        read_bundle(bundle)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (
            lambda content: content["inputs"][0].update(name="other"),
            r"inputs that differ from those of its graph: \['text'\]",
        ),
        (lambda content: content["inputs"].clear(), r"inputs that differ from those of its graph"),
        (lambda content: content["outputs"][0].update(name="x"), r"outputs that its graph does not have: \['x::pred"),
        (lambda content: content["outputs"].clear(), "outputs that its graph does not have"),
        (lambda content: content["outputs"][0].update(type="image"), "Invalid value 'image'"),
        (lambda content: content["inputs"][0]["tokenizer"].update(type="spacy"), "Invalid value 'spacy'"),
        (lambda content: content["graph"].update(format="pickle"), "Invalid enum value 'pickle'"),
        (lambda content: content.pop("parity"), "missing required field `parity`"),
    ],
    ids=["input", "no input", "output", "no output", "output type", "tokenizer", "graph format", "no certificate"],
)
def test_an_inconsistent_manifest_is_refused(
    bundle: Path, spoil: Callable[[dict[str, Any]], object], message: str
) -> None:
    content = read(bundle)
    spoil(content)
    (bundle / MANIFEST).write_bytes(msgspec.json.encode(content))
    with pytest.raises(BundleError, match=message):
        read_bundle(bundle)


@pytest.mark.parametrize("edit", [(b'"greeting"', b'"farewell"'), (b"\n", b" \n")], ids=["a label", "a blank"])
def test_an_edited_manifest_is_refused(bundle: Path, edit: tuple[bytes, bytes]) -> None:
    path = bundle / MANIFEST
    assert edit[0] in path.read_bytes()
    path.write_bytes(path.read_bytes().replace(*edit))
    with pytest.raises(
        BundleError, match=r"manifest\.json was altered after it was written\. Copy the whole bundle again"
    ):
        read_bundle(bundle)


def test_a_golden_row_may_contain_the_zeros_of_an_empty_seal(bundle: Path) -> None:
    golden = [{"row": "row 0", "own": True, "values": {"text": UNSEALED}, "labels": {}}]
    edit_manifest(bundle, golden=golden)
    manifest = read_bundle(bundle)
    assert parse_manifest(manifest.to_json(), "memory").golden == manifest.golden


def parses_or_refuses(content: bytes) -> None:
    """Parse a manifest. The only allowed error is a BundleError."""
    try:
        parse_manifest(content, "here")
    except BundleError as error:
        assert str(error).startswith("here ")  # noqa: PT017


@given(content=st.binary() | JSON.map(msgspec.json.encode))
def test_rubbish_is_refused(content: bytes) -> None:
    parses_or_refuses(content)


@given(data=st.data())
def test_a_corrupted_manifest_is_refused_or_read(manifest: bytes, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(manifest)))
    end = data.draw(st.integers(start, min(start + 20, len(manifest))))
    parses_or_refuses(manifest[:start] + data.draw(st.binary(max_size=8)) + manifest[end:])


@given(data=st.data(), value=JSON)
def test_a_manifest_with_any_value_replaced_is_refused_or_read(
    manifest: bytes, data: st.DataObject, value: Any
) -> None:
    content = place = msgspec.json.decode(manifest)
    while True:
        key = data.draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
        if not place[key] or not isinstance(place[key], dict | list) or data.draw(st.booleans()):
            break
        place = place[key]
    place[key] = None if isinstance(value, float) and not math.isfinite(value) else value
    parses_or_refuses(msgspec.json.encode(content))
