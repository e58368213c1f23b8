"""From a model folder to a proven bundle: describe, write, prove, and only then put it where it was asked for."""

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from export.console import say
from export.decoding import with_decoding
from export.errors import ExportError, ParityError
from export.features import column_of
from export.graph import write_graph
from export.inputs import describe_inputs
from export.model import SourceModel
from export.outputs import describe_outputs
from export.parity import Comparison, golden_rows, prove, rows_to_try
from export.quantize import QuantizeOptions, check_quantizable, quantized
from export.thresholds import with_thresholds
from handler import __version__
from handler.bundle import (
    GOLDEN_ROWS,
    MANIFEST,
    SCHEMA_VERSION,
    GraphFormat,
    Manifest,
    Parity,
    Provenance,
    describe_file,
    is_bundle,
    read_bundle,
)
from handler.outputs import Decoding, OutputFeature

if TYPE_CHECKING:
    import pandas as pd

EXACT = QuantizeOptions()
UNPROVEN = Parity(
    passed=False, rows=0, odd_rows=0, ids_equal=0, labels_equal=0, max_abs_diff=0.0, tolerance=0.0, worst=[]
)


def export_model(
    model: SourceModel,
    bundle: Path,
    *,
    name: str | None = None,
    dataset: "pd.DataFrame | None" = None,
    license_name: str | None = None,
    graph_format: GraphFormat = "onnx",
    golden: int = GOLDEN_ROWS,
    quantize: QuantizeOptions = EXACT,
    slot_decoding: Decoding | None = None,
    force: bool = False,
) -> Manifest:
    """Export a model into a bundle's folder, replacing a bundle that is there.

    dataset: rows to prove the bundle on, besides the odd ones. golden: how many of them the bundle keeps, to be asked
    again before a deployment takes traffic. quantize: whether to try int8, and what it must keep. slot_decoding: in
    place of what the run's record says. force: write a bundle that failed, which says so itself.
    Raises UnsupportedError, ExportError, or ParityError; then the folder is as it was.
    """
    check_target(bundle)
    with _temporary_folder(bundle) as folder:
        inputs = describe_inputs(model, folder)
        outputs = with_thresholds(describe_outputs(model, inputs), model.folder)
        outputs = with_decoding(outputs, model.training, slot_decoding)
        name = name or default_name(outputs)
        say(f"{name}: writing the graph ...")
        graph = write_graph(model, inputs, outputs, folder, graph_format)
        manifest = Manifest(
            schema_version=SCHEMA_VERSION,
            name=name,
            graph=graph,
            inputs=inputs,
            outputs=outputs,
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
        rows = rows_to_try(model, manifest, dataset)
        own = [row for row in rows if not row.odd]
        if quantize.mode != "none":
            check_quantizable(manifest, len(own))
        parity, comparisons = prove(model, folder, rows)
        if not parity.passed and not force:
            raise ParityError(_explain_failure(name, parity, comparisons))
        if quantize.mode != "none":
            manifest = quantized(folder, manifest, own, _labels(model, dataset), quantize)
            if is_quantized(manifest):
                parity, comparisons = prove(model, folder, rows)
                parity = msgspec.structs.replace(parity, promise="agreement", passed=True, tolerance=1.0)
        manifest = msgspec.structs.replace(manifest, parity=parity, golden=golden_rows(comparisons, golden))
        (folder / MANIFEST).write_bytes(manifest.to_json())
        _move_into_place(folder, bundle)
    return read_bundle(bundle)


def check_target(bundle: Path) -> None:
    """Raise ExportError if a bundle must not be written there."""
    if bundle.resolve() in (Path.cwd(), *Path.cwd().parents):
        raise ExportError(f"{bundle} holds the folder that you are in: give a new folder, such as bundles/intent.")
    if bundle.exists() and not is_bundle(bundle) and (not bundle.is_dir() or any(bundle.iterdir())):
        raise ExportError(f"{bundle} exists and is no bundle: give a new folder, or an old bundle to replace.")


def default_name(outputs: Sequence[OutputFeature]) -> str:
    """Return the name under which Hexabot finds the answer: that of the output."""
    return "-".join(output.name for output in outputs)


def is_quantized(manifest: Manifest) -> bool:
    """Tell whether a quantised graph was kept."""
    found = manifest.quantization
    return found is not None and any(candidate.kept for candidate in found.candidates[1:])


def _labels(model: SourceModel, dataset: "pd.DataFrame | None") -> dict[str, list[Any]]:
    """Return the right labels of the user's rows, by output, where the rows have them."""
    if dataset is None:
        return {}
    features = model.config["output_features"]
    columns = {feature["name"]: column_of(feature) for feature in features}
    return {name: dataset[column].tolist() for name, column in columns.items() if column in dataset}


def certificate(manifest: Manifest) -> str:
    """Return a bundle's certificate as a person reads it."""
    parity = manifest.parity
    if parity.promise == "agreement" and manifest.quantization:
        kept = next(candidate for candidate in manifest.quantization.candidates if candidate.kept)
        return (
            f"{manifest.name}: quantised ({kept.name} int8), {kept.agreement:.2%} of the labels of "
            f"{manifest.quantization.rows} rows are its model's ({manifest.quantization.agreement:.2%} asked for); "
            f"{parity.labels_equal} of {parity.rows} rows, the odd ones included, have all labels the same, and the "
            f"largest difference of a probability is {_difference(parity)}"
        )
    verdict = "answers as Ludwig does" if parity.passed else "DOES NOT ANSWER as Ludwig does"
    return (
        f"{manifest.name}: {verdict} on {parity.rows} rows ({parity.odd_rows} of them odd): "
        f"ids equal {parity.ids_equal}, labels equal {parity.labels_equal}, "
        f"largest difference of a probability {_difference(parity)} (allowed {parity.tolerance:.0e})"
    )


def _explain_failure(name: str, parity: Parity, comparisons: Sequence[Comparison]) -> str:
    lines = [
        f"{name} does not answer as its model does, so no bundle was written: of {parity.rows} rows, "
        f"{parity.rows - parity.ids_equal} have other ids, {parity.rows - parity.labels_equal} other labels, and the "
        f"largest difference of a probability is {_difference(parity)} (allowed {parity.tolerance:.0e}). The worst:"
    ]
    for comparison in comparisons[: len(parity.worst)]:
        values = {column: _shortened(value) for column, value in comparison.row.values.items()}
        lines.append(f"  {comparison.row.name}: {values}")
        lines += [f"      {_shortened(difference)}" for difference in comparison.differences[:4]]
    lines.append("Please report this model; --force writes the bundle all the same, marked as failed.")
    return "\n".join(lines)


def _difference(parity: Parity) -> str:
    return "not a number" if parity.max_abs_diff is None else f"{parity.max_abs_diff:.1e}"


def _shortened(value: object, characters: int = 200) -> str:
    text = str(value)
    return text if len(text) <= characters else text[:characters] + "..."


@contextmanager
def _temporary_folder(bundle: Path) -> Iterator[Path]:
    """Give a folder on the same disk, so that a finished bundle is moved into place in one step."""
    bundle.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f".{bundle.name}-", dir=bundle.parent))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _move_into_place(folder: Path, bundle: Path) -> None:
    folder.chmod(0o755)
    old = folder.with_name(folder.name + "-old")
    if bundle.exists():
        bundle.rename(old)
    folder.rename(bundle)
    shutil.rmtree(old, ignore_errors=True)
