"""Detect from its bytes whether an ONNX graph stores tensor data in external files.

No hash covers such data, and the graph chooses its path, so it could reveal the contents of any file next to it.
onnxruntime loads it automatically, and the handler does not ship the onnx package. So this module walks through the
protobuf messages of the file and looks only at tensors.

Source: `onnx.proto` of ONNX 1.17, and https://protobuf.dev/programming-guides/encoding/.
"""

from mmap import mmap
from typing import NamedTuple

INNER: dict[str, dict[int, str]] = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "graph": {1: "node", 5: "tensor", 15: "sparse tensor"},
    "function": {7: "node", 11: "attribute"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse tensor", 23: "sparse tensor"},
    "sparse tensor": {1: "tensor", 2: "tensor"},
}
"""For each kind of message the fields, by number, that hold messages with tensors in them."""

EXTERNAL_DATA, DATA_LOCATION = 13, 14
"""Fields of a tensor: where its data is, and whether that is another file (anything but 0)."""

VARINT, FIXED_64, BYTES, FIXED_32 = 0, 1, 2, 5
"""The kinds of fields in protobuf's encoding; those of groups, 3 and 4, are in no ONNX file."""

MOST_VARINT_BYTES = 10


Content = bytes | mmap


class Message(NamedTuple):
    """A message inside a file. start, end: its bytes."""

    kind: str
    start: int
    end: int


def has_external_data(content: Content) -> bool:
    """Return whether any tensor of an ONNX graph has its data in another file.

    Args:
        content: The whole file. Weights inside it are skipped, not read.

    Returns:
        Whether there is such a tensor, however deep in subgraphs, functions or attributes.

    Raises:
        ValueError: The bytes are not protobuf's encoding.
    """
    pending = [Message("model", 0, len(content))]
    while pending:
        message = pending.pop()
        inner, place = INNER.get(message.kind, {}), message.start
        while place < message.end:
            tag, place = _varint(content, place, message.end)
            field, encoding = (tag & 0xFFFFFFFF) >> 3, tag & 7
            start = place
            if encoding == VARINT:
                value, place = _varint(content, place, message.end)
                if message.kind == "tensor" and field == DATA_LOCATION and value:
                    return True
            elif encoding == BYTES:
                size, start = _varint(content, place, message.end)
                place = start + size
                if message.kind == "tensor" and field == EXTERNAL_DATA:
                    return True
                if field in inner:
                    pending.append(Message(inner[field], start, place))
            elif encoding in (FIXED_32, FIXED_64):
                place += 4 if encoding == FIXED_32 else 8
            else:
                raise ValueError(f"byte {start - 1} begins a field of the unknown encoding {encoding}")
            if place > message.end:
                raise ValueError(f"the field at byte {start} is longer than what holds it")
    return False


def _varint(content: Content, place: int, end: int) -> tuple[int, int]:
    """Read a number of seven bits a byte, the lowest first. Returns it, and the place of the next byte."""
    value = 0
    for index in range(MOST_VARINT_BYTES):
        if place + index >= end:
            break
        byte = content[place + index]
        value |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            return value, place + index + 1
    raise ValueError(f"the number at byte {place} does not end")
