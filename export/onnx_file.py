"""Write ONNX files in which large weights are aligned, so that the handler can map them into memory."""

from pathlib import Path

import onnx

from handler.external_data import BYTES
from handler.onnx_weights import ALIGNMENT, GRAPH, INITIALIZER, RAW_DATA, Field, large_weight, read_fields, varint

DOC_STRING = 12
"""The field of a tensor that contains the padding. No runtime reads it."""
SIZE_BYTES = 5
"""Every size below 2 GB fits into a varint of this many bytes. With a fixed number, offsets do not depend on sizes."""


def save(graph: onnx.ModelProto, path: Path) -> None:
    """Write a graph.

    Args:
        graph: The graph.
        path: The file to write.
    """
    path.write_bytes(aligned(graph.SerializeToString()))


def aligned(content: bytes) -> bytes:
    """Move large weights to offsets that are multiples of `ALIGNMENT`, by adding spaces before them.

    Args:
        content: An ONNX file.

    Returns:
        An ONNX file with the same graph. If the file is aligned already, this is the same file.

    Raises:
        ValueError: The bytes are not valid protobuf.
    """
    model = bytearray()
    for part in read_fields(content, 0, len(content)):
        graph_fields = [*read_fields(content, part.content, part.end)] if part.number == GRAPH else []
        weights = {field: raw for field in graph_fields if (raw := large_weight(content, field))}
        if not weights:
            model += content[part.start : part.end]
            continue
        model += varint(GRAPH << 3 | BYTES)
        size_offset = len(model)
        model += bytes(SIZE_BYTES)
        for field in graph_fields:
            if field in weights:
                _append_aligned(model, content, field, weights[field])
            else:
                model += content[field.start : field.end]
        model[size_offset : size_offset + SIZE_BYTES] = varint(len(model) - size_offset - SIZE_BYTES, SIZE_BYTES)
    return bytes(model)


def _append_aligned(model: bytearray, content: bytes, tensor: Field, raw: Field) -> None:
    """Append a tensor to a file, with spaces that align its bytes."""
    fields = read_fields(content, tensor.content, tensor.end)
    described = b"".join(
        content[field.start : field.end] for field in fields if field.number not in (RAW_DATA, DOC_STRING)
    )
    model += varint(INITIALIZER << 3 | BYTES)
    # Before the bytes come the sizes of both, the other fields, and the tags of the padding and of the bytes.
    offset = len(model) + SIZE_BYTES + len(described) + 2 + 1 + SIZE_BYTES
    padding = b" " * (-offset % ALIGNMENT)
    tail = varint(DOC_STRING << 3 | BYTES) + varint(len(padding)) + padding + varint(RAW_DATA << 3 | BYTES)
    size = raw.end - raw.content
    model += varint(len(described) + len(tail) + SIZE_BYTES + size, SIZE_BYTES)
    model += described + tail + varint(size, SIZE_BYTES)
    model += content[raw.content : raw.end]
