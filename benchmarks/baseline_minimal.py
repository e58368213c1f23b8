"""The minimal baseline: a bare function that runs graphs with numpy and onnxruntime's Python package.

Together with `benchmarks.baseline_answers`, it is the least code that answers with the same bytes as the handler
through onnxruntime's Python package. It is not meant for production.
"""

import os
from pathlib import Path
from typing import Any

from benchmarks.baseline_answers import Run, answer, load_models

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import numpy as np
import onnxruntime


def load(path: Path, manifest: dict[str, Any]) -> Run:
    """Load a graph; see `Load`."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    given, output = manifest["inputs"][0]["name"], manifest["outputs"][0]["name"]
    outputs = [f"{output}::predictions", f"{output}::probabilities"]

    def run(ids: list[int]) -> tuple[Any, list[float]]:
        predictions, probabilities = session.run(outputs, {given: np.array([ids], dtype=np.int32)})
        return predictions[0].tolist(), probabilities[0].tolist()

    return run


MODELS = load_models(load)


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer Hexabot."""
    return answer(MODELS, event)
