"""int8 weights in place of float32: tried in several ways, measured beside the exact graph, kept only where it pays.

A quantised graph is not exact, so it promises less: that its labels agree with the model's to the degree asked for.
Weights have seven bits (`reduce_range`): with eight, processors without VNNI saturate, and answer otherwise.
"""

import logging
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np
import onnx
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_dynamic, quantize_static

from export.console import say
from export.errors import ExportError, ParityError
from export.parity import Row
from handler.alignment import align
from handler.bundle import MANIFEST, Candidate, Manifest, Quantization, describe_file
from handler.outputs import BinaryOutput, CategoryOutput, OutputFeature, SequenceOutput, SetOutput
from handler.predictor import Predictor

Mode = Literal["none", "auto", "dynamic", "per-channel", "static"]
FLOAT = "fp32"
ENOUGH_ROWS = 200
CALIBRATION_ROWS = 100
TIMED_ROUNDS = 60
BATCH_ROWS = 64
FASTER = 0.9
"""What a candidate may take of the exact graph's time: less of a gain could be noise."""


@dataclass(frozen=True)
class Demand:
    """What is asked of a quantised graph.

    agreement: the least share of labels that are the exact graph's. accuracy_loss: points of accuracy it may lose.
    """

    mode: Mode = "none"
    agreement: float = 0.995
    accuracy_loss: float = 0.2


def quantized(
    folder: Path, manifest: Manifest, rows: Sequence[Row], labels: dict[str, list[Any]], demand: Demand
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
    truth = _Reference(exact, measured, labels)
    candidates = [truth.measure(exact, FLOAT, folder)]
    best: tuple[Candidate, Path] | None = None
    with tempfile.TemporaryDirectory(prefix=f"{folder.name}-", dir=folder.parent) as trials:
        for mode in MAKERS if demand.mode == "auto" else (demand.mode,):
            say(f"{manifest.name}: trying {mode} int8 ...")
            trial = Path(trials, mode)
            try:
                candidate = _tried(mode, folder, trial, manifest, exact, calibration, truth)
            except Exception as error:  # onnxruntime's quantiser raises all kinds
                candidate = Candidate(name=mode, reason=f"cannot be made: {type(error).__name__}: {str(error)[:200]}")
            candidates.append(msgspec.structs.replace(candidate, reason=judge(candidate, candidates[0], demand)))
            if not candidates[-1].reason and (best is None or candidate.of_exact < best[0].of_exact):
                best = (candidate, trial)
        return _kept(folder, manifest, candidates, best, demand, len(measured))


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


def judge(candidate: Candidate, exact: Candidate, demand: Demand) -> str:
    """Return why a candidate is not kept; nothing if it may be."""
    if candidate.reason:
        return candidate.reason
    if candidate.agreement < demand.agreement:
        return f"agrees on {candidate.agreement:.2%} of labels, {demand.agreement:.2%} are asked for"
    if candidate.accuracy is not None and exact.accuracy is not None:
        lost = (exact.accuracy - candidate.accuracy) * 100
        if lost > demand.accuracy_loss:
            return f"loses {lost:.2f} points of accuracy, {demand.accuracy_loss:.2f} are allowed"
    if demand.mode == "auto" and candidate.of_exact > FASTER:
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


WITH_LABELS = (BinaryOutput, CategoryOutput, SequenceOutput, SetOutput)


class _Reference:
    """The exact graph's answers to some rows, and what others are measured by."""

    def __init__(self, exact: Predictor, rows: Sequence[Row], labels: dict[str, list[Any]]) -> None:
        self._rows = [row.values for row in rows]
        self._outputs = exact.manifest.outputs
        self._exact = exact
        self._labels = labels
        self._ids = exact.encode(self._rows)
        self._answers = _answers(exact, self._rows)
        self._decisions = {output.name: self._decided(output, self._answers) for output in self._outputs}

    def measure(self, predictor: Predictor, name: str, folder: Path) -> Candidate:
        """Measure a bundle that has the exact one's inputs and outputs."""
        answers = self._answers if predictor is self._exact else _answers(predictor, self._rows)
        decided = {output.name: self._decided(output, answers) for output in self._outputs}
        equal = [
            one == other
            for output in self._outputs
            for one, other in zip(self._decisions[output.name], decided[output.name], strict=True)
        ]
        taken, beside = _milliseconds(predictor, self._exact, self._rows)
        return Candidate(
            name=name,
            agreement=sum(equal) / len(equal),
            accuracy=self._accuracy(predictor, answers),
            max_abs_diff=self._largest_difference(answers),
            milliseconds=taken,
            of_exact=round(taken / beside, 4) if predictor is not self._exact else 1.0,
            bytes=(folder / predictor.manifest.graph.file).stat().st_size,
        )

    def _decided(self, output: OutputFeature, answers: Sequence[dict[str, Any]]) -> list[Any]:
        """Return the decisions in some answers: a label for each row, or for each token that the row has."""
        predictions = [answer[f"{output.name}_predictions"] for answer in answers]
        if not isinstance(output, SequenceOutput):
            return predictions
        seen = self._seen(output)
        return [
            tag
            for tags, there in zip(predictions, seen, strict=True)
            for tag, is_there in zip(tags, there, strict=False)
            if is_there
        ]

    def _seen(self, output: SequenceOutput) -> Any:
        """Return which positions of each row hold a token."""
        for feature in self._exact.manifest.inputs:
            if feature.name == output.aligned_with:
                return self._ids[feature.name] != self._exact.text_encoder(feature.name).feature.padding_id
        return [[True] * len(answer[f"{output.name}_predictions"]) for answer in self._answers]

    def _accuracy(self, predictor: Predictor, answers: Sequence[dict[str, Any]]) -> float | None:
        """Return the share of right labels, by the user's own, where they are known."""
        right: list[bool] = []
        for output in self._outputs:
            truth = self._labels.get(output.name)
            if truth is not None and isinstance(output, CategoryOutput):
                right += [
                    answer[f"{output.name}_predictions"] == label for answer, label in zip(answers, truth, strict=True)
                ]
            if truth is not None and isinstance(output, SequenceOutput) and output.aligned_with:
                right += self._right_tags(predictor, output, truth, answers)
        return sum(right) / len(right) if right else None

    def _right_tags(
        self, predictor: Predictor, output: SequenceOutput, truth: Sequence[Any], answers: Sequence[dict[str, Any]]
    ) -> Iterator[bool]:
        feature = next(feature for feature in predictor.manifest.inputs if feature.name == output.aligned_with)
        encoder = predictor.text_encoder(feature.name)
        for values, tags, answer in zip(self._rows, truth, answers, strict=True):
            text, expected = values[feature.column], str(tags).split()
            if isinstance(text, str) and len(text.split(" ")) == len(expected):
                columns = (answer[f"{output.name}_predictions"], answer[f"{output.name}_probabilities"])
                found, _ = align(text, encoder.placed_spans(text), *columns, output.special_labels)
                yield from (tag == word for tag, word in zip(found[1:-1], expected, strict=True))

    def _largest_difference(self, answers: Sequence[dict[str, Any]]) -> float:
        names = [
            f"{output.name}_probabilities"
            for output in self._outputs
            if not isinstance(output, SetOutput)  # only those of the labels that were chosen
        ]
        return max(
            (
                float(np.max(np.abs(np.subtract(one[name], other[name]))))
                for name in names
                for one, other in zip(self._answers, answers, strict=True)
            ),
            default=0.0,
        )


def _answers(predictor: Predictor, rows: Sequence[Any]) -> list[dict[str, Any]]:
    return [
        answer
        for start in range(0, len(rows), BATCH_ROWS)
        for answer in predictor.predict(rows[start : start + BATCH_ROWS])
    ]


def _milliseconds(predictor: Predictor, exact: Predictor, rows: Sequence[Any]) -> tuple[float, float]:
    """Return the medians of what one row takes both, asked in turn so that both have the same noise."""
    taken: tuple[list[float], list[float]] = ([], [])
    for number in range(-5, TIMED_ROUNDS):
        row = [rows[number % len(rows)]]
        for asked, kept in zip((predictor, exact), taken, strict=True):
            started = time.perf_counter()
            asked.predict(row)
            if number >= 0:
                kept.append((time.perf_counter() - started) * 1000)
    return round(statistics.median(taken[0]), 4), statistics.median(taken[1])


def _tried(
    mode: str,
    folder: Path,
    trial: Path,
    manifest: Manifest,
    exact: Predictor,
    calibration: Sequence[Row],
    truth: _Reference,
) -> Candidate:
    """Make a candidate in a folder of its own, and measure it."""
    shutil.copytree(folder, trial)
    graph = trial / manifest.graph.file
    with _quiet():
        MAKERS[mode](folder / manifest.graph.file, graph, [exact.encode([row.values]) for row in calibration])
    _clean(graph)
    described = msgspec.structs.replace(manifest, files={**manifest.files, graph.name: describe_file(graph)})
    (trial / MANIFEST).write_bytes(described.to_json())
    return truth.measure(Predictor(trial), mode, trial)


def _kept(
    folder: Path,
    manifest: Manifest,
    candidates: Sequence[Candidate],
    best: tuple[Candidate, Path] | None,
    demand: Demand,
    rows: int,
) -> Manifest:
    """Put the best graph into the folder, and the comparison into the manifest."""
    name = best[0].name if best else FLOAT
    quantization = Quantization(
        rows=rows,
        agreement=demand.agreement,
        accuracy_loss=demand.accuracy_loss,
        candidates=[msgspec.structs.replace(found, kept=found.name == name) for found in candidates],
    )
    say(comparison_table(quantization))
    if best is None and demand.mode != "auto":
        raise ParityError(
            f"{manifest.name}: {demand.mode} int8 {candidates[-1].reason}. No bundle was written; export it without "
            "--quantize, with --quantize auto, or ask for less by --agreement and --accuracy-loss."
        )
    if best:
        shutil.copy2(best[1] / manifest.graph.file, folder / manifest.graph.file)
    files = {**manifest.files, manifest.graph.file: describe_file(folder / manifest.graph.file)}
    manifest = msgspec.structs.replace(manifest, quantization=quantization, files=files)
    (folder / MANIFEST).write_bytes(manifest.to_json())
    return manifest


Encoded = list[dict[str, np.ndarray]]


def _dynamic(source: Path, target: Path, encoded: Encoded) -> None:
    quantize_dynamic(source, target, weight_type=QuantType.QInt8, reduce_range=True)


def _per_channel(source: Path, target: Path, encoded: Encoded) -> None:
    quantize_dynamic(source, target, weight_type=QuantType.QInt8, reduce_range=True, per_channel=True)


def _static(source: Path, target: Path, encoded: Encoded) -> None:
    quantize_static(
        source,
        target,
        _Rows(encoded),
        quant_format=QuantFormat.QDQ,
        weight_type=QuantType.QInt8,
        activation_type=QuantType.QUInt8,
        reduce_range=True,
        per_channel=True,
        op_types_to_quantize=["Conv", "Gemm", "MatMul"],
    )


class _Rows(CalibrationDataReader):  # type: ignore[misc]
    """Rows to see the range of activations on."""

    def __init__(self, encoded: Encoded) -> None:
        self._left = iter(encoded)

    def get_next(self) -> dict[str, np.ndarray] | None:
        return next(self._left, None)


MAKERS: dict[str, Callable[[Path, Path, Encoded], None]] = {
    "dynamic": _dynamic,
    "per-channel": _per_channel,
    "static": _static,
}


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the quantiser's advice on graphs of pictures off the terminal."""
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)


def _clean(path: Path) -> None:
    """Take out what the quantiser notes about itself."""
    graph = onnx.load(path)
    graph.ClearField("doc_string")
    graph.ClearField("metadata_props")
    onnx.save(graph, str(path))
