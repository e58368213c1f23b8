"""int8 weights in place of float32: tried in several ways, measured beside the exact graph, kept only where it pays.

A quantised graph is not exact, so it promises less: that its labels agree with the model's to the degree asked for.
"""

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import msgspec

from export.agreement import WITH_LABELS, Reference
from export.console import say
from export.errors import ExportError, ParityError
from export.int8 import MAKERS, clean, quiet
from export.parity import Row
from handler.bundle import MANIFEST, Manifest, describe_file
from handler.certificate import Candidate, Quantization
from handler.predictor import Predictor

Mode = Literal["none", "auto", "dynamic", "per-channel", "static"]
FLOAT = "fp32"
ENOUGH_ROWS = 200
CALIBRATION_ROWS = 100
FASTER = 0.9
"""What a candidate may take of the exact graph's time: less of a gain could be noise."""


@dataclass(frozen=True)
class QuantizeOptions:
    """What is asked of a quantised graph.

    agreement: the least share of labels that are the exact graph's. accuracy_loss: points of accuracy it may lose.
    """

    mode: Mode = "none"
    agreement: float = 0.995
    accuracy_loss: float = 0.2


def quantized(
    folder: Path, manifest: Manifest, rows: Sequence[Row], labels: dict[str, list[Any]], options: QuantizeOptions
) -> Manifest:
    """Try to quantise the proven bundle in a folder, and leave the graph there that is kept.

    rows: the user's own. labels: by output, the right labels of these rows, where the user's data has them.
    Returns the manifest, with the comparison in it; its certificate is the exact graph's still.
    Raises ExportError for a bundle without labels or too few rows, and ParityError if a mode that
    was asked for by name does not agree.
    """
    check_quantizable(manifest, len(rows))
    calibration, measured = rows[:CALIBRATION_ROWS], rows[CALIBRATION_ROWS:]
    labels = {name: values[CALIBRATION_ROWS:] for name, values in labels.items()}
    exact = Predictor(folder)
    truth = Reference(exact, measured, labels)
    candidates = [truth.measure(exact, FLOAT, folder)]
    best: tuple[Candidate, Path] | None = None
    with tempfile.TemporaryDirectory(prefix=f"{folder.name}-", dir=folder.parent) as trials:
        for mode in MAKERS if options.mode == "auto" else (options.mode,):
            say(f"{manifest.name}: trying {mode} int8 ...")
            trial = Path(trials, mode)
            try:
                candidate = _tried(mode, folder, trial, manifest, exact, calibration, truth)
            except Exception as error:  # onnxruntime's quantiser raises all kinds
                candidate = Candidate(name=mode, reason=f"cannot be made: {type(error).__name__}: {str(error)[:200]}")
            candidates.append(msgspec.structs.replace(candidate, reason=judge(candidate, candidates[0], options)))
            if not candidates[-1].reason and (best is None or candidate.of_exact < best[0].of_exact):
                best = (candidate, trial)
        return _kept(folder, manifest, candidates, best, options, len(measured))


def check_quantizable(manifest: Manifest, rows: int) -> None:
    """Raise ExportError if it could not be told whether a quantised graph is good."""
    without = [output.name for output in manifest.outputs if not isinstance(output, WITH_LABELS)]
    if without:
        raise ExportError(
            f"{manifest.name} cannot be quantised: its output {without[0]!r} has no labels that could agree. "
            "Export it without --quantize."
        )
    if manifest.graph.format != "onnx":
        raise ExportError("Only ONNX graphs can be quantised: leave --format away, or --quantize.")
    if rows < ENOUGH_ROWS + CALIBRATION_ROWS:
        raise ExportError(
            f"--quantize needs a --dataset of at least {ENOUGH_ROWS + CALIBRATION_ROWS} rows, to see how many labels "
            f"agree; found {rows}."
        )


def is_quantized(manifest: Manifest) -> bool:
    """Tell whether the bundle's graph is a quantized one."""
    found = manifest.quantization
    return found is not None and any(candidate.kept for candidate in found.candidates[1:])


def judge(candidate: Candidate, exact: Candidate, options: QuantizeOptions) -> str:
    """Return why a candidate is not kept; nothing if it may be."""
    if candidate.reason:
        return candidate.reason
    if candidate.agreement < options.agreement:
        return f"agrees on {candidate.agreement:.2%} of labels, {options.agreement:.2%} are asked for"
    if candidate.accuracy is not None and exact.accuracy is not None:
        lost = (exact.accuracy - candidate.accuracy) * 100
        if lost > options.accuracy_loss:
            return f"loses {lost:.2f} points of accuracy, {options.accuracy_loss:.2f} are allowed"
    if options.mode == "auto" and candidate.of_exact > FASTER:
        return f"is not at least {1 - FASTER:.0%} faster"
    return ""


def comparison_table(quantization: Quantization) -> str:
    """Return the comparison as a person reads it."""
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
) -> Candidate:
    """Make a candidate in a folder of its own, and measure it."""
    shutil.copytree(folder, trial)
    graph = trial / manifest.graph.file
    with quiet():
        MAKERS[mode](folder / manifest.graph.file, graph, [exact.encode([row.values]) for row in calibration])
    clean(graph)
    described = msgspec.structs.replace(manifest, files={**manifest.files, graph.name: describe_file(graph)})
    (trial / MANIFEST).write_bytes(described.to_json())
    return truth.measure(Predictor(trial), mode, trial)


def _kept(
    folder: Path,
    manifest: Manifest,
    candidates: Sequence[Candidate],
    best: tuple[Candidate, Path] | None,
    options: QuantizeOptions,
    rows: int,
) -> Manifest:
    """Put the best graph into the folder, and the comparison into the manifest."""
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
            f"{manifest.name}: {options.mode} int8 {candidates[-1].reason}. No bundle was written; export it without "
            "--quantize, with --quantize auto, or ask for less by --agreement and --accuracy-loss."
        )
    if best:
        shutil.copy2(best[1] / manifest.graph.file, folder / manifest.graph.file)
    files = {**manifest.files, manifest.graph.file: describe_file(folder / manifest.graph.file)}
    manifest = msgspec.structs.replace(manifest, quantization=quantization, files=files)
    (folder / MANIFEST).write_bytes(manifest.to_json())
    return manifest
