"""Quantize an ONNX graph to int8 weights with onnxruntime: dynamic, per-channel, static and blockwise.

The weights of the first three use seven bits (`reduce_range`): with eight, CPUs without VNNI saturate and give other
answers.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import onnx
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_dynamic, quantize_static

from export.blockwise import quantize_blockwise
from export.onnx_file import save

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


def _blockwise(source: Path, target: Path, encoded: Encoded) -> None:
    quantize_blockwise(source, target)


class _Rows(CalibrationDataReader):  # type: ignore[misc]
    """Rows for calibrating the range of activations."""

    def __init__(self, encoded: Encoded) -> None:
        self._left = iter(encoded)

    def get_next(self) -> dict[str, np.ndarray] | None:
        return next(self._left, None)


MAKERS: dict[str, Callable[[Path, Path, Encoded], None]] = {
    "dynamic": _dynamic,
    "per-channel": _per_channel,
    "static": _static,
    "blockwise": _blockwise,
}


@contextmanager
def quiet() -> Iterator[None]:
    """Suppress the quantizer's warnings, which concern image models."""
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)


def clean(path: Path) -> None:
    """Remove the metadata that the quantizer adds to the file at `path`."""
    graph = onnx.load(path)
    graph.ClearField("doc_string")
    graph.ClearField("metadata_props")
    save(graph, path)
