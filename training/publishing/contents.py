"""What is published: a model, its bundle, its record and its card, checked to belong together.

README.md       the model card
bundle/         what the handler serves; its manifest is written last
model/          what Ludwig loads and `ludwig-serverless export` reads
training.json   the record of the training
thresholds.json and evaluation/, where the run has them: its metrics and, if asked for, its report
files.json      the version, and every other file's size and SHA-256
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec

from export.model import NEEDED, TRAINING_RECORD, WEIGHTS, find_model_folder
from export.thresholds import THRESHOLDS
from handler.bundle import MANIFEST, BundleFile, Manifest, describe_file, read_bundle
from training.errors import PublishError

BUNDLE, MODEL, EVALUATION = "bundle", "model", "evaluation"
CARD, LISTING = "README.md", "files.json"
BUNDLE_MANIFEST = f"{BUNDLE}/{MANIFEST}"
METRICS, REPORT = "metrics.json", "report.html"
PLACE_KEYS = ("path", "file", "embeddings")
"""Endings of the settings of Ludwig that may hold a place on this machine."""

Content = Path | bytes


class Listing(msgspec.Struct, frozen=True):
    """`files.json`: what a version must hold."""

    version: str
    files: dict[str, BundleFile]

    def to_json(self) -> bytes:
        """Return the listing as it is published: the same content gives the same bytes."""
        return msgspec.json.format(msgspec.json.encode(self, order="sorted"), indent=1) + b"\n"


@dataclass(frozen=True)
class Contents:
    """A model, a bundle, or both, ready to be published. files: by their path, without the card and the listing."""

    files: dict[str, Content]
    manifest: Manifest | None
    record: dict[str, Any] | None

    @property
    def own_rows(self) -> int:
        """How many rows of the user's own data, with their words, the bundle holds."""
        return sum(row.own for row in self.manifest.golden) if self.manifest else 0


def gather(run: Path | None, bundle: Path | None, *, with_report: bool = False) -> Contents:
    """Collect what is published of a run and of a bundle, either of which may be None.

    Raises PublishError if there is nothing, the bundle is not proven, or it was exported from another model;
    BundleError and ModelError if one is not what it should be.
    """
    if run is None and bundle is None:
        raise PublishError("There is nothing to publish: give --run runs/intent, --bundle bundles/intent, or both.")
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


def listing(version: str, files: Mapping[str, Content]) -> Listing:
    """Return the sizes and digests of files."""
    return Listing(version, {path: _describe(content) for path, content in sorted(files.items())})


def read_listing(content: bytes, where: str) -> Listing:
    """Read a listing. Raises PublishError if it is broken, or names a file outside its folder."""
    try:
        found = msgspec.json.decode(content, type=Listing)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise PublishError(f"{where} is not what `ludwig-serverless publish` writes: {error}.") from None
    for path in found.files:
        parts = PurePosixPath(path).parts
        if not parts or ".." in parts or path != "/".join(parts) or path.startswith("/") or set(path) & set("\\\0:"):
            raise PublishError(f"{where} names the file {path!r}, which is not inside its folder: do not use it.")
    return found


def digest_of(files: Mapping[str, Content]) -> str:
    """Return a short name of a content, whatever version it has."""
    return hashlib.sha256(listing("", files).to_json()).hexdigest()[:8]


def weights_of(contents: Contents) -> str | None:
    """Return the SHA-256 of the weights, where a model or a bundle tells it."""
    if f"{MODEL}/{WEIGHTS}" in contents.files:
        return _describe(contents.files[f"{MODEL}/{WEIGHTS}"]).sha256
    return contents.manifest.provenance.model_sha256 if contents.manifest else None


def _proven_manifest(bundle: Path) -> Manifest:
    manifest = read_bundle(bundle)
    parity = manifest.parity
    if not parity.passed:
        raise PublishError(
            f"{bundle} does not answer as its model does (its proof failed): of {parity.rows} rows, "
            f"{parity.rows - parity.labels_equal} have other labels. Only what is proven is published: export a model "
            "that passes."
        )
    return manifest


def _safe_model(run: Path) -> Path:
    model = find_model_folder(run, allow_pickle=True)
    if not (model / WEIGHTS).is_file():
        raise PublishError(
            f"The weights in {model} are pickled, and a pickle can run code wherever it is read. Turn them into "
            f"{WEIGHTS} with `python -m export.unpickle {model}`, export the model again, and publish that."
        )
    return model


def _check_pair(model: Path, manifest: Manifest, bundle: Path | None) -> None:
    exported, found = manifest.provenance.model_sha256, describe_file(model / WEIGHTS).sha256
    if found != exported:
        raise PublishError(
            f"{bundle} was exported from another model than {model}: its weights had the SHA-256 {exported[:12]}..., "
            f"these have {found[:12]}.... Export the run again, or give the run that the bundle is of."
        )


def _model_files(model: Path) -> dict[str, Content]:
    """Return what it takes to load a model: Ludwig leaves more beside it, such as its answers to rows."""
    texts = {f"{MODEL}/{name}": without_places((model / name).read_bytes()) for name in NEEDED}
    return {**texts, f"{MODEL}/{WEIGHTS}": model / WEIGHTS}


def _run_files(run: Path, *, with_report: bool) -> dict[str, Content]:
    records = (TRAINING_RECORD, THRESHOLDS, f"{EVALUATION}/{METRICS}")
    files: dict[str, Content] = {
        path: without_places((run / path).read_bytes()) for path in records if (run / path).is_file()
    }
    if with_report:
        report = run / EVALUATION / REPORT
        if not report.is_file():
            raise PublishError(f"{report} is not there: leave out --with-report, or evaluate the run first.")
        files[f"{EVALUATION}/{REPORT}"] = report
    return files


def without_places(content: bytes) -> bytes:
    """Return JSON in which a path of this machine is the name at its end; the bytes as they are where there is none."""
    value = json.loads(content)
    cleaned = _without_places(value)
    return content if cleaned == value else json.dumps(cleaned, indent=1, ensure_ascii=False).encode() + b"\n"


def _without_places(value: Any, key: str = "") -> Any:
    if isinstance(value, dict):
        return {name: _without_places(inner, name) for name, inner in value.items()}
    if isinstance(value, list):
        return [_without_places(inner, key) for inner in value]
    is_place = isinstance(value, str) and key.endswith(PLACE_KEYS) and Path(value).is_absolute()
    return Path(value).name if is_place else value


def _describe(content: Content) -> BundleFile:
    if isinstance(content, Path):
        return describe_file(content)
    return BundleFile(sha256=hashlib.sha256(content).hexdigest(), bytes=len(content))


def read(content: Content) -> bytes:
    """Return a content's bytes."""
    return content if isinstance(content, bytes) else content.read_bytes()
