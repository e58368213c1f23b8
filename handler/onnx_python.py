"""Run ONNX graphs with onnxruntime's Python package, where the C library is not the pinned one. Needs numpy."""

import os
from collections.abc import Mapping

from handler.files import StrPath
from handler.onnx_c_api import FATAL, OnnxError
from handler.onnx_library import logged_stderr
from handler.tensor import Tensor

with logged_stderr():
    import numpy as np
    import onnxruntime

onnxruntime.set_default_logger_severity(FATAL)


class PythonSession:
    """A loaded graph, as `handler.onnx_session.CSession`."""

    def __init__(self, path: StrPath, threads: int) -> None:
        """Load a graph; see `CSession`."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = FATAL
        options.add_session_config_entry("session.load_model_format", "ONNX")
        try:
            self._session = onnxruntime.InferenceSession(os.fspath(path), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime's exceptions share no public base class
            raise OnnxError(str(error)) from None
        self.inputs: list[str] = [tensor.name for tensor in self._session.get_inputs()]
        self.outputs: list[str] = [tensor.name for tensor in self._session.get_outputs()]

    def run(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Run the graph on one batch; see `CSession.run`."""
        arrays = {name: np.asarray(tensor).reshape(tensor.shape) for name, tensor in inputs.items()}
        try:
            answers = self._session.run(self.outputs, arrays)
        except Exception as error:
            raise OnnxError(str(error)) from None
        return {
            name: Tensor(str(answer.dtype), answer.shape, answer.tobytes())
            for name, answer in zip(self.outputs, answers, strict=True)
        }
