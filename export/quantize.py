"""Quantize a bundle to int8: try several methods, measure each against the exact graph, and keep the best if it pays.

A quantized graph is not exact. It promises only that the required share of its labels agrees with the model.
"""

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np

from export.agreement import WITH_LABELS, Reference
from export.console import say
from export.errors import ExportError, ParityError
from export.int8 import MAKERS, clean, quiet
from export.parity import Row
from handler.bundle import MANIFEST, Manifest, describe_file
from handler.certificate import GraphCandidate, Quantization
from handler.predictor import Predictor

Mode = Literal["none", "auto", "dynamic", "per-channel", "static", "blockwise"]
FLOAT = "fp32"
ENOUGH_ROWS = 200
CALIBRATION_ROWS = 100
FASTER = 0.9
"""Maximum latency of a candidate relative to the exact graph; a smaller gain could be noise."""


@dataclass(frozen=True)
class QuantizeOptions:
    """How to quantize, and what a quantized graph must preserve.

    Attributes:
        mode: The method; `auto` tries all of them, `none` none.
        agreement: Minimum share of labels equal to the exact graph's, from 0 to 1.
        accuracy_loss: Maximum loss of accuracy, in percentage points.
    """

    mode: Mode = "none"
    agreement: float = 0.995
    accuracy_loss: float = 0.2


def quantized(
    folder: Path, manifest: Manifest, rows: Sequence[Row], labels: dict[str, list[Any]], options: QuantizeOptions
) -> Manifest:
    """Try to quantize the proven bundle in a folder, and leave the best graph in the folder.

    Args:
        folder: The bundle's folder.
        manifest: Its manifest.
        rows: The user's own rows. The first CALIBRATION_ROWS calibrate, the others measure.
        labels: Expected labels of these rows, by output; None is a missing label.
        options: What to try, and what a quantized graph must preserve.

    Returns:
        The manifest, with the comparison. Its certificate is still that of the exact graph.

    Raises:
        ExportError: An output has no labels, the graph is not ONNX, or there are too few rows.
        ParityError: A mode that was requested by name does not preserve enough.
    """
    check_quantizable(manifest, len(rows))
    calibration, measured = rows[:CALIBRATION_ROWS], rows[CALIBRATION_ROWS:]
    labels = {name: values[CALIBRATION_ROWS:] for name, values in labels.items()}
    exact = Predictor(folder)
    truth = Reference(exact, measured, labels)
    candidates = [truth.measure(exact, FLOAT, folder)]
    best: tuple[GraphCandidate, Path] | None = None
    with tempfile.TemporaryDirectory(prefix=f"{folder.name}-", dir=folder.parent) as trials:
        for mode in MAKERS if options.mode == "auto" else (options.mode,):
            say(f"{manifest.name}: trying {mode} int8 ...")
            trial = Path(trials, mode)
            try:
                candidate = _tried(mode, folder, trial, manifest, exact, calibration, truth)
            except Exception as error:  # onnxruntime's quantizer raises many types
                candidate = GraphCandidate(name=mode, reason=f"fails: {type(error).__name__}: {str(error)[:200]}")
            reason = evaluate_candidate(candidate, candidates[0], options)
            candidates.append(msgspec.structs.replace(candidate, reason=reason))
            if not candidates[-1].reason and (best is None or candidate.of_exact < best[0].of_exact):
                best = (candidate, trial)
        return _kept(folder, manifest, candidates, best, options, len(measured))


def check_quantizable(manifest: Manifest, rows: int) -> None:
    """Check that a quantized graph could be measured.

    Args:
        manifest: The manifest of the exact bundle.
        rows: Number of the user's own rows.

    Raises:
        ExportError: An output has no labels, the graph is not ONNX, or there are too few rows.
    """
    without = [output.name for output in manifest.outputs if not isinstance(output, WITH_LABELS)]
    if without:
        raise ExportError(
            f"{manifest.name} cannot be quantized: its output {without[0]!r} has no labels to compare. "
            "Export it without --quantize."
        )
    if manifest.graph.format != "onnx":
        raise ExportError("Only ONNX graphs can be quantized: omit --format or --quantize.")
    if rows < ENOUGH_ROWS + CALIBRATION_ROWS:
        raise ExportError(
            f"--quantize needs a --dataset of at least {ENOUGH_ROWS + CALIBRATION_ROWS} rows to measure agreement; "
            f"found {rows}."
        )


def is_quantized(manifest: Manifest) -> bool:
    """Return whether the bundle's graph is quantized."""
    found = manifest.quantization
    return found is not None and any(candidate.kept for candidate in found.candidates[1:])


def evaluate_candidate(candidate: GraphCandidate, exact: GraphCandidate, options: QuantizeOptions) -> str:
    """Return why a candidate is rejected, or "" if it may be kept.

    Args:
        candidate: The measurements of a quantized graph.
        exact: The measurements of the exact graph.
        options: What a quantized graph must preserve.

    Returns:
        The reason, in the middle of a sentence.
    """
    if candidate.reason:
        return candidate.reason
    if candidate.agreement < options.agreement:
        return f"agrees on {candidate.agreement:.2%} of labels, {options.agreement:.2%} required"
    if candidate.accuracy is not None and exact.accuracy is not None:
        lost = (exact.accuracy - candidate.accuracy) * 100
        if lost > options.accuracy_loss:
            return f"loses {lost:.2f} points of accuracy, {options.accuracy_loss:.2f} allowed"
    if options.mode == "auto" and candidate.of_exact > FASTER:
        return f"is not at least {1 - FASTER:.0%} faster"
    return ""


def comparison_table(quantization: Quantization) -> str:
    """Return the comparison as a table for the terminal."""
    lines = [
        f"{'':<14}{'labels agree':>14}{'accuracy':>10}{'largest diff.':>15}{'one row, ms':>13}{'of fp32':>9}{'kB':>8}"
    ]
    for found in quantization.candidates:
        numbers = ""
        if found.bytes:
            accuracy = "" if found.accuracy is None else f"{found.accuracy:.2%}"
            numbers = (
                f"{found.agreement:>14.2%}{accuracy:>10}{found.max_abs_diff:>15.1e}"
                f"{found.milliseconds:>13.3f}{found.of_exact:>9.2f}{found.bytes // 1000:>8}"
            )
        note = "  kept" if found.kept else f"  {found.reason}" if found.reason else ""
        lines.append(f"{found.name:<14}{numbers}{note}")
    return "\n".join(lines)


def _tried(
    mode: str,
    folder: Path,
    trial: Path,
    manifest: Manifest,
    exact: Predictor,
    calibration: Sequence[Row],
    truth: Reference,
) -> GraphCandidate:
    """Quantize a copy of the bundle in the folder `trial`, and measure it."""
    shutil.copytree(folder, trial)
    graph = trial / manifest.graph.file
    encoded = [{name: np.asarray(tensor) for name, tensor in exact.encode([row.values]).items()} for row in calibration]
    with quiet():
        MAKERS[mode](folder / manifest.graph.file, graph, encoded)
    clean(graph)
    described = msgspec.structs.replace(manifest, files={**manifest.files, graph.name: describe_file(graph)})
    (trial / MANIFEST).write_bytes(described.to_json())
    return truth.measure(Predictor(trial), mode, trial)


def _kept(
    folder: Path,
    manifest: Manifest,
    candidates: Sequence[GraphCandidate],
    best: tuple[GraphCandidate, Path] | None,
    options: QuantizeOptions,
    rows: int,
) -> Manifest:
    """Move the best graph into the folder, and store the comparison in the manifest."""
    name = best[0].name if best else FLOAT
    quantization = Quantization(
        rows=rows,
        agreement=options.agreement,
        accuracy_loss=options.accuracy_loss,
        candidates=[msgspec.structs.replace(found, kept=found.name == name) for found in candidates],
    )
    say(comparison_table(quantization))
    if best is None and options.mode != "auto":
        raise ParityError(
            f"{manifest.name}: {options.mode} int8 {candidates[-1].reason}. No bundle was written: export it without "
            "--quantize, with --quantize auto, or with other limits for --agreement and --accuracy-loss."
        )
    if best:
        shutil.copy2(best[1] / manifest.graph.file, folder / manifest.graph.file)
    files = {**manifest.files, manifest.graph.file: describe_file(folder / manifest.graph.file)}
    manifest = msgspec.structs.replace(manifest, quantization=quantization, files=files)
    (folder / MANIFEST).write_bytes(manifest.to_json())
    return manifest
