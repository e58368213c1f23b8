"""Write bundles of any size with random weights, in the shape of a small intent model: embedding, LSTM, layer, softmax.

They do not come from a Ludwig model, so their certificates say that nothing was proven. They are only for measurements.
"""

from pathlib import Path

import msgspec
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from handler.bundle import MANIFEST, SCHEMA_VERSION, Graph, GraphTensor, Manifest, Provenance, describe_file
from handler.certificate import Parity
from handler.outputs import CategoryOutput
from handler.text import TextInput, Vocabulary
from handler.tokenizers import SpaceTokenizer

SPECIAL = ["<EOS>", "<SOS>", "<PAD>", "<UNK>"]
EMBEDDING, STATE = 64, 64


def write_bundle(
    folder: Path, *, name: str = "intent", vocabulary: int = 1000, labels: int = 20, length: int = 32
) -> Path:
    """Write a bundle.

    Args:
        folder: The bundle's folder, which must not exist.
        name: Name of the bundle and of its output.
        vocabulary: Number of tokens.
        labels: Number of labels.
        length: Length of the padded sequence, in tokens.

    Returns:
        The folder.
    """
    folder.mkdir(parents=True)
    tokens = [*SPECIAL, *(f"w{index}" for index in range(vocabulary - len(SPECIAL)))]
    (folder / "vocabulary.json").write_bytes(msgspec.json.encode(tokens))
    predictions, probabilities = f"{name}::predictions", f"{name}::probabilities"
    onnx.save(_graph(vocabulary, labels, length, predictions, probabilities), str(folder / "model.onnx"))
    text = TextInput(
        name="text",
        column="text",
        tokenizer=SpaceTokenizer(),
        length=length,
        lowercase=False,
        padding="right",
        padding_id=SPECIAL.index("<PAD>"),
        vocabulary=Vocabulary(file="vocabulary.json", unknown_id=3, start_id=1, stop_id=0),
    )
    graph = Graph(
        format="onnx",
        file="model.onnx",
        inputs=[GraphTensor("text", "int32", ["batch", length])],
        outputs=[
            GraphTensor(predictions, "int64", ["batch"]),
            GraphTensor(probabilities, "float32", ["batch", labels]),
        ],
    )
    manifest = Manifest(
        schema_version=SCHEMA_VERSION,
        name=name,
        graph=graph,
        inputs=[text],
        outputs=[CategoryOutput(name=name, labels=[f"l{index}" for index in range(labels)])],
        files={path.name: describe_file(path) for path in sorted(folder.iterdir())},
        provenance=Provenance(
            ludwig_version="none", model_sha256="0" * 64, exported_at="1970-01-01T00:00:00Z", exporter_version="none"
        ),
        parity=Parity(
            passed=False, rows=0, odd_rows=0, ids_equal=0, labels_equal=0, max_abs_diff=0.0, tolerance=0.0, worst=[]
        ),
    )
    (folder / MANIFEST).write_bytes(manifest.to_json())
    return folder


def _graph(vocabulary: int, labels: int, length: int, predictions: str, probabilities: str) -> onnx.ModelProto:
    """Build the graph: ids -> embedding -> last state of an LSTM -> logits -> softmax."""
    random = np.random.default_rng(0)

    def weights(name: str, *shape: int) -> onnx.TensorProto:
        return numpy_helper.from_array((random.standard_normal(shape) * 0.1).astype(np.float32), name)

    constants = [
        weights("embedding", vocabulary, EMBEDDING),
        weights("W", 1, 4 * STATE, EMBEDDING),
        weights("R", 1, 4 * STATE, STATE),
        weights("B", 1, 8 * STATE),
        weights("head", STATE, labels),
        numpy_helper.from_array(np.array([0]), "first"),
    ]
    nodes = [
        helper.make_node("Gather", ["embedding", "text"], ["embedded"]),
        helper.make_node("Transpose", ["embedded"], ["by_time"], perm=[1, 0, 2]),
        helper.make_node("LSTM", ["by_time", "W", "R", "B"], ["", "last"], hidden_size=STATE),
        helper.make_node("Squeeze", ["last", "first"], ["state"]),
        helper.make_node("MatMul", ["state", "head"], ["logits"]),
        helper.make_node("Softmax", ["logits"], [probabilities], axis=-1),
        helper.make_node("ArgMax", [probabilities], [predictions], axis=-1, keepdims=0),
    ]
    ids = helper.make_tensor_value_info("text", TensorProto.INT32, ["batch", length])
    outputs = [
        helper.make_tensor_value_info(predictions, TensorProto.INT64, ["batch"]),
        helper.make_tensor_value_info(probabilities, TensorProto.FLOAT, ["batch", labels]),
    ]
    graph = helper.make_graph(nodes, "synthetic", [ids], outputs, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    return model
