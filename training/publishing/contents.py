"""The content of a publication: a model, its bundle, its training record and its card, checked to match.

README.md       the model card
bundle/         what the handler serves; its manifest is written last
model/          what Ludwig loads and `ludwig-serverless export` reads
training.json   the record of the training
thresholds.json, expected.json, entities.json and evaluation/, if the run has them; the report only on request
files.json      the version, and the size and SHA-256 of every other file
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec

from export.expected import EXPECTED
from export.model import NEEDED, TRAINING_RECORD, WEIGHTS, find_model_folder
from export.thresholds import THRESHOLDS
from handler.bundle import MANIFEST, BundleFile, Manifest, describe_file, read_bundle
from handler.vocabulary import FILE as ENTITIES
from training.errors import PublishError

BUNDLE, MODEL, EVALUATION = "bundle", "model", "evaluation"
CARD, LISTING = "README.md", "files.json"
BUNDLE_MANIFEST = f"{BUNDLE}/{MANIFEST}"
METRICS, REPORT = "metrics.json", "report.html"
PATH_KEYS = ("path", "file", "embeddings")
"""Suffixes of Ludwig settings that may contain a local path."""

Content = Path | bytes


class VersionListing(msgspec.Struct, frozen=True):
    """`files.json`: the files of a version.

    Attributes:
        version: Name of the version.
        files: Size and SHA-256 of each file, by path.
    """

    version: str
    files: dict[str, BundleFile]

    def to_json(self) -> bytes:
        """Return the listing as deterministic JSON."""
        return msgspec.json.format(msgspec.json.encode(self, order="sorted"), indent=1) + b"\n"


@dataclass(frozen=True)
class Contents:
    """A model, a bundle, or both, ready to be published.

    Attributes:
        files: Content of each file by path, without the card and the listing.
        manifest: The bundle's manifest, if there is a bundle.
        record: The training record, if there is one.
    """

    files: dict[str, Content]
    manifest: Manifest | None
    record: dict[str, Any] | None

    @property
    def own_rows(self) -> int:
        """Number of rows of the user's own data in the bundle, including their text."""
        return sum(row.own for row in self.manifest.golden) if self.manifest else 0


def gather(run: Path | None, bundle: Path | None, *, with_report: bool = False) -> Contents:
    """Collect the files to publish of a run, a bundle, or both.

    Args:
        run: The folder of a run, or None.
        bundle: The folder of a bundle, or None.
        with_report: Whether to include the evaluation's report.

    Raises:
        PublishError: Both are None, the bundle failed its parity check, or it was exported from another model.
        BundleError: The bundle is invalid.
        ModelError: The run does not contain a valid model.
    """
    if run is None and bundle is None:
        raise PublishError("Nothing to publish: give --run runs/intent, --bundle bundles/intent, or both.")
    files: dict[str, Content] = {}
    manifest, record = None, None
    if bundle:
        manifest = _proven_manifest(bundle)
        files |= {f"{BUNDLE}/{name}": bundle / name for name in (*manifest.files, MANIFEST)}
        record = manifest.provenance.training
    if run:
        model = _safe_model(run)
        if manifest:
            _check_pair(model, manifest, bundle)
        files |= _model_files(model)
        files |= _run_files(model.parent, with_report=with_report)
        if TRAINING_RECORD in files:
            record = json.loads(read(files[TRAINING_RECORD]))
    return Contents(files, manifest, record)


def listing(version: str, files: Mapping[str, Content]) -> VersionListing:
    """Return the listing of a version: the size and SHA-256 of each file."""
    return VersionListing(version, {path: _describe(content) for path, content in sorted(files.items())})


def read_listing(content: bytes, where: str) -> VersionListing:
    """Decode and check a listing.

    Args:
        content: The bytes of `files.json`.
        where: Its location, for error messages.

    Raises:
        PublishError: The listing is invalid, or it names a file outside its folder.
    """
    try:
        found = msgspec.json.decode(content, type=VersionListing)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise PublishError(f"{where} is not a listing that `ludwig-serverless publish` wrote: {error}.") from None
    for path in found.files:
        parts = PurePosixPath(path).parts
        if not parts or ".." in parts or path != "/".join(parts) or path.startswith("/") or set(path) & set("\\\0:"):
            raise PublishError(
                f"{where} names the file {path!r}, which is outside its folder: do not use this version."
            )
    return found


def digest_of(files: Mapping[str, Content]) -> str:
    """Return a short digest of the content that does not depend on the version: 8 hex digits of its SHA-256."""
    return hashlib.sha256(listing("", files).to_json()).hexdigest()[:8]


def weights_of(contents: Contents) -> str | None:
    """Return the SHA-256 of the model's weights, or None if neither a model nor a bundle provides it."""
    if f"{MODEL}/{WEIGHTS}" in contents.files:
        return _describe(contents.files[f"{MODEL}/{WEIGHTS}"]).sha256
    return contents.manifest.provenance.model_sha256 if contents.manifest else None


def _proven_manifest(bundle: Path) -> Manifest:
    manifest = read_bundle(bundle)
    parity = manifest.parity
    if not parity.passed:
        raise PublishError(
            f"{bundle} failed its parity check: {parity.rows - parity.labels_equal} of {parity.rows} rows have other "
            "labels than the model predicts. Export a model that passes, and publish that."
        )
    return manifest


def _safe_model(run: Path) -> Path:
    model = find_model_folder(run, allow_pickle=True)
    if not (model / WEIGHTS).is_file():
        raise PublishError(
            f"The weights in {model} are pickled, and loading a pickle can execute arbitrary code. Convert them to "
            f"{WEIGHTS} with `python -m export.unpickle {model}`, export the model again, and publish that."
        )
    return model


def _check_pair(model: Path, manifest: Manifest, bundle: Path | None) -> None:
    exported, found = manifest.provenance.model_sha256, describe_file(model / WEIGHTS).sha256
    if found != exported:
        raise PublishError(
            f"{bundle} was not exported from {model}: the SHA-256 of its weights is {exported[:12]}..., but the run's "
            f"is {found[:12]}.... Export the run again, or give the run that the bundle was exported from."
        )


def _model_files(model: Path) -> dict[str, Content]:
    """Return only the files that loading a model needs: Ludwig leaves others next to them, such as predictions."""
    texts = {f"{MODEL}/{name}": without_local_paths((model / name).read_bytes()) for name in NEEDED}
    return {**texts, f"{MODEL}/{WEIGHTS}": model / WEIGHTS}


def _run_files(run: Path, *, with_report: bool) -> dict[str, Content]:
    records = (TRAINING_RECORD, THRESHOLDS, EXPECTED, ENTITIES, f"{EVALUATION}/{METRICS}")
    files: dict[str, Content] = {
        path: without_local_paths((run / path).read_bytes()) for path in records if (run / path).is_file()
    }
    if with_report:
        report = run / EVALUATION / REPORT
        if not report.is_file():
            raise PublishError(f"{report} does not exist: omit --with-report, or evaluate the run first.")
        files[f"{EVALUATION}/{REPORT}"] = report
    return files


def without_local_paths(content: bytes) -> bytes:
    """Replace local absolute paths in JSON by their last component; return the bytes unchanged if there are none."""
    value = json.loads(content)
    cleaned = _without_local_paths(value)
    return content if cleaned == value else json.dumps(cleaned, indent=1, ensure_ascii=False).encode() + b"\n"


def _without_local_paths(value: Any, key: str = "") -> Any:
    if isinstance(value, dict):
        return {name: _without_local_paths(inner, name) for name, inner in value.items()}
    if isinstance(value, list):
        return [_without_local_paths(inner, key) for inner in value]
    is_local_path = isinstance(value, str) and key.endswith(PATH_KEYS) and Path(value).is_absolute()
    return Path(value).name if is_local_path else value


def _describe(content: Content) -> BundleFile:
    if isinstance(content, Path):
        return describe_file(content)
    return BundleFile(sha256=hashlib.sha256(content).hexdigest(), bytes=len(content))


def read(content: Content) -> bytes:
    """Return the bytes of a content."""
    return content if isinstance(content, bytes) else content.read_bytes()
