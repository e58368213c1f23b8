"""Detect from its bytes whether an ONNX graph stores tensor data in external files.

onnxruntime loads external data automatically. No hash covers it, and the graph chooses its path, so it could reveal the
contents of any file. The handler does not ship the onnx package, so this module walks the protobuf messages of the file
itself and looks only at tensors.

Source: `onnx.proto` of ONNX 1.17, and https://protobuf.dev/programming-guides/encoding/.
"""

from mmap import mmap

import msgspec

INNER: dict[str, dict[int, str]] = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "graph": {1: "node", 5: "tensor", 15: "sparse tensor"},
    "function": {7: "node", 11: "attribute"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse tensor", 23: "sparse tensor"},
    "sparse tensor": {1: "tensor", 2: "tensor"},
}
"""For each kind of message, the field numbers of the nested messages that can contain tensors, and their kinds."""

EXTERNAL_DATA, DATA_LOCATION = 13, 14
"""Fields of a tensor: the location of its data, and whether the data is external (any value but 0)."""

VARINT, FIXED_64, BYTES, FIXED_32 = 0, 1, 2, 5
"""Protobuf's wire types. Types 3 and 4 (groups) do not occur in ONNX files."""

MOST_VARINT_BYTES = 10


Content = bytes | mmap


class Message(msgspec.Struct, frozen=True):
    """A protobuf message inside a file, at the bytes `start` to `end`."""

    kind: str
    start: int
    end: int


def has_external_data(content: Content) -> bool:
    """Return whether any tensor of an ONNX graph has its data in another file.

    Args:
        content: The whole file. The weights in it are skipped, not read.

    Returns:
        Whether such a tensor occurs anywhere in the graph, its subgraphs, functions and attributes.

    Raises:
        ValueError: The bytes are not valid protobuf.
    """
    # Visit every message that can contain a tensor, however deeply it is nested.
    pending = [Message("model", 0, len(content))]
    while pending:
        message = pending.pop()
        inner, offset = INNER.get(message.kind, {}), message.start
        while offset < message.end:
            # A field starts with a tag: its number and, in the lowest three bits, its wire type.
            tag, offset = read_varint(content, offset, message.end)
            field, encoding = (tag & 0xFFFFFFFF) >> 3, tag & 7
            start = offset
            if encoding == VARINT:
                value, offset = read_varint(content, offset, message.end)
                if message.kind == "tensor" and field == DATA_LOCATION and value:
                    return True
            elif encoding == BYTES:
                size, start = read_varint(content, offset, message.end)
                offset = start + size
                if message.kind == "tensor" and field == EXTERNAL_DATA:
                    return True
                if field in inner:
                    pending.append(Message(inner[field], start, offset))
            elif encoding in (FIXED_32, FIXED_64):
                offset += 4 if encoding == FIXED_32 else 8
            else:
                raise ValueError(f"the field at byte {start - 1} has the unknown wire type {encoding}")
            if offset > message.end:
                raise ValueError(f"the field at byte {start} is longer than the message that contains it")
    return False


def read_varint(content: Content, offset: int, end: int) -> tuple[int, int]:
    """Read a varint: seven bits in each byte, lowest bits first. Returns the number and the offset after it."""
    if offset < end and (byte := content[offset]) < 0x80:  # most have one byte
        return byte, offset + 1
    value = 0
    for index in range(MOST_VARINT_BYTES):
        if offset + index >= end:
            break
        byte = content[offset + index]
        value |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            return value, offset + index + 1
    raise ValueError(f"the varint at byte {offset} is truncated or too long")
