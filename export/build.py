"""Export a model folder as a proven bundle: describe, write, prove, quantize if requested, seal, move into place.

Each step takes the result of the previous one. The bundle is built in a temporary folder until all steps succeed.
"""

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from export.certificate import explain_failure
from export.console import say
from export.decoding import with_decoding
from export.entities import copy_entities
from export.errors import ExportError, ParityError
from export.expected import with_expected
from export.features import column_of
from export.golden import golden_rows
from export.graph import write_graph
from export.inputs import describe_inputs
from export.labels import clean_labels
from export.model import SourceModel
from export.outputs import describe_outputs
from export.parity import Proof, Row, agreed, prove, rows_to_try
from export.quantize import QuantizeOptions, check_quantizable, is_quantized, quantized
from export.rows import read_rows, readable_rows
from export.thresholds import LanguageRule, with_thresholds
from handler import __version__
from handler.bundle import (
    MANIFEST,
    SCHEMA_VERSION,
    GraphFormat,
    Manifest,
    Provenance,
    describe_file,
    is_bundle,
    read_bundle,
)
from handler.certificate import GOLDEN_ROWS, Parity
from handler.inputs import InputFeature
from handler.outputs import Decoding, OutputFeature
from handler.text import TextInput

if TYPE_CHECKING:
    import pandas as pd

EXACT = QuantizeOptions()
UNPROVEN = Parity(
    passed=False, rows=0, odd_rows=0, ids_equal=0, labels_equal=0, max_abs_diff=0.0, tolerance=0.0, worst=[]
)


class Description(NamedTuple):
    """A bundle's name and features, and the file of its entities or None. The files are in the bundle's folder."""

    name: str
    inputs: list[InputFeature]
    outputs: list[OutputFeature]
    entities: str | None


def export_model(
    model: SourceModel,
    bundle: "Path | str",
    *,
    name: str | None = None,
    dataset: "pd.DataFrame | Path | str | None" = None,
    license_name: str | None = None,
    graph_format: GraphFormat = "onnx",
    golden: int = GOLDEN_ROWS,
    quantize: QuantizeOptions = EXACT,
    slot_decoding: Decoding | None = None,
    language_rule: LanguageRule = "fitted",
    force: bool = False,
    allow_failed_proof: bool = False,
) -> Manifest:
    """Export a model into a bundle's folder.

    Args:
        model: The Ludwig model.
        bundle: The folder to write. It stays unchanged if the export fails.
        name: The model's name in the handler; by default the names of its outputs.
        dataset: The user's own rows for the proof, or a file of them, in addition to the edge cases.
        license_name: The model's license, for the manifest.
        graph_format: `onnx` or `torchscript`.
        golden: Number of the user's own rows to store in the bundle, for the check before a deployment takes traffic.
        quantize: Whether to try int8, and what it must preserve.
        slot_decoding: How to decode slots; by default as in the run's record.
        language_rule: When a language counts as unsure: as fitted, or never.
        force: Whether to replace an existing bundle.
        allow_failed_proof: Whether to write a bundle that failed its proof. Its manifest stays marked as failed, and
            `publish` and the check before a deployment reject it.

    Returns:
        The manifest, read back from the finished bundle.

    Raises:
        UnsupportedError: A feature cannot be exported.
        ParityError: The bundle's answers differ from the model's.
        ExportError: The folder already exists, or another argument is wrong.
    """
    bundle = Path(bundle)
    check_target(bundle, force=force)
    if isinstance(dataset, str | Path):
        dataset = read_rows(Path(dataset))
    with temporary_folder(bundle) as folder:
        description = describe(model, folder, name, slot_decoding, language_rule)
        draft = write(model, description, folder, graph_format, license_name)
        rows = rows_to_try(model, draft, dataset)
        own = [row for row in rows if not row.odd]
        if quantize.mode != "none":
            check_quantizable(draft, len(own))
        proof = prove(model, folder, rows)
        if not proof.parity.passed and not allow_failed_proof:
            raise ParityError(explain_failure(draft.name, *proof))
        if quantize.mode != "none":
            draft = quantized(folder, draft, own, _labels(model, dataset), quantize)
            proof = reproved(model, folder, draft, rows, proof)
        seal(draft, proof, folder, golden)
        move_into_place(folder, bundle, force=force)
    return read_bundle(bundle)


def describe(
    model: SourceModel,
    folder: Path,
    name: str | None,
    slot_decoding: Decoding | None,
    language_rule: LanguageRule = "fitted",
) -> Description:
    """Describe a model's features, and write their vocabularies and tokenizers into the folder.

    Args:
        model: The model.
        folder: The bundle's folder.
        name: The model's name in the handler; None for the names of its outputs.
        slot_decoding: How to decode slots; None for the decoding in the run's record.
        language_rule: When a language counts as unsure: as fitted, or never.

    Returns:
        The name and the features.

    Raises:
        UnsupportedError: A feature cannot be exported.
        ExportError: `slot_decoding` does not fit the model.
    """
    inputs = describe_inputs(model, folder)
    reads_text = any(isinstance(feature, TextInput) for feature in inputs)
    outputs = with_thresholds(
        describe_outputs(model, inputs), model.folder, reads_text=reads_text, language_rule=language_rule
    )
    outputs = with_expected(with_decoding(outputs, model.training, slot_decoding), model.folder)
    return Description(name or default_name(outputs), inputs, outputs, copy_entities(model.folder.parent, folder))


def write(
    model: SourceModel, description: Description, folder: Path, graph_format: GraphFormat, license_name: str | None
) -> Manifest:
    """Write the graph, and a manifest of all files in the folder.

    Args:
        model: The model.
        description: The name and the features.
        folder: The bundle's folder.
        graph_format: `onnx` or `torchscript`.
        license_name: The model's license, or None.

    Returns:
        The manifest, without a proof.

    Raises:
        ExportError: The network cannot be traced.
    """
    say(f"{description.name}: writing the graph ...")
    graph = write_graph(model, description.inputs, description.outputs, folder, graph_format)
    manifest = Manifest(
        schema_version=SCHEMA_VERSION,
        name=description.name,
        graph=graph,
        inputs=description.inputs,
        outputs=description.outputs,
        entities=description.entities,
        files={path.name: describe_file(path) for path in sorted(folder.iterdir())},
        provenance=Provenance(
            ludwig_version=model.ludwig_version,
            model_sha256=model.weights_sha256,
            exported_at=datetime.now(UTC).isoformat(timespec="seconds"),
            exporter_version=__version__,
            license=license_name,
            training=model.training,
        ),
        parity=UNPROVEN,
    )
    (folder / MANIFEST).write_bytes(manifest.to_json())
    return manifest


def reproved(model: SourceModel, folder: Path, manifest: Manifest, rows: Sequence[Row], exact: Proof) -> Proof:
    """Prove the bundle again after `quantized`.

    Args:
        model: The model.
        folder: The bundle's folder.
        manifest: The manifest that `quantized` returned.
        rows: The rows of the proof.
        exact: The proof of the exact graph. If it failed, the quantized graph fails too.

    Returns:
        The proof of the graph that is now in the folder.
    """
    return agreed(prove(model, folder, rows), exact) if is_quantized(manifest) else exact


def seal(draft: Manifest, proof: Proof, folder: Path, golden: int) -> Manifest:
    """Write the final manifest, with certificate and golden rows.

    Args:
        draft: The manifest without a proof.
        proof: The proof.
        folder: The bundle's folder.
        golden: Maximum number of the user's own rows to store.

    Returns:
        The final manifest.
    """
    manifest = msgspec.structs.replace(draft, parity=proof.parity, golden=golden_rows(proof.comparisons, golden))
    (folder / MANIFEST).write_bytes(manifest.to_json())
    return manifest


def check_target(bundle: Path, *, force: bool = False) -> None:
    """Check that a bundle may be written to a folder.

    Args:
        bundle: The folder to write.
        force: Whether an existing bundle may be replaced.

    Raises:
        ExportError: The folder is or contains the working directory, is not a bundle, or must not be replaced.
    """
    if bundle.resolve() in (Path.cwd(), *Path.cwd().parents):
        raise ExportError(f"{bundle} contains the working directory: give a new folder, such as bundles/intent.")
    if not bundle.exists() or (bundle.is_dir() and not any(bundle.iterdir())):
        return
    if not is_bundle(bundle):
        raise ExportError(f"{bundle} exists and is not a bundle: give a new folder.")
    if not force:
        raise ExportError(f"{bundle} exists: give a new folder, or use --force to replace this bundle.")


def default_name(outputs: Sequence[OutputFeature]) -> str:
    """Return the default name of a model, which Hexabot uses to find its answer: the names of its outputs."""
    return "-".join(output.name for output in outputs)


def _labels(model: SourceModel, dataset: "pd.DataFrame | None") -> dict[str, list[Any]]:
    """Return the expected labels of the user's rows, by output, if the rows have them; None is a missing label."""
    if dataset is None:
        return {}
    features = model.config["output_features"]
    dataset = clean_labels(readable_rows(dataset, features), model.config)
    columns = {feature["name"]: column_of(feature) for feature in features}
    return {name: dataset[column].tolist() for name, column in columns.items() if column in dataset}


@contextmanager
def temporary_folder(bundle: Path) -> Iterator[Path]:
    """Yield a temporary folder on the same disk, so that the finished bundle can be renamed into place atomically."""
    bundle.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f".{bundle.name}-", dir=bundle.parent))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def move_into_place(folder: Path, bundle: Path, *, force: bool) -> None:
    """Move a finished bundle into place. Check the target again, because another export may have finished first."""
    check_target(bundle, force=force)
    folder.chmod(0o755)
    old = folder.with_name(folder.name + "-old")
    if force and bundle.exists():
        bundle.rename(old)
    try:
        folder.rename(bundle)  # fails if a non-empty folder has appeared in the meantime
    except OSError as error:
        if old.exists():
            old.rename(bundle)
        raise ExportError(f"{bundle} cannot be written: {error.strerror}. Give a new folder.") from None
    shutil.rmtree(old, ignore_errors=True)
