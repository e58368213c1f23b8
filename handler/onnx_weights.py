"""Let onnxruntime map a graph's large weights from its file, instead of reading them into memory twice.

onnxruntime parses a graph into memory, and then copies the weights from there. It only maps weights that a graph keeps
in another file. So this module makes a small copy of the graph in memory that names the graph's own file as this other
file. Weights that are used as they are, such as embeddings, then take memory only where they are read.

Source: `onnx.proto` of ONNX 1.17, and https://protobuf.dev/programming-guides/encoding/.
"""

from collections.abc import Iterator

import msgspec

from handler.external_data import BYTES, FIXED_32, FIXED_64, VARINT, Content, read_varint

LARGE_BYTES = 1 << 16
"""Smaller weights are copied: mapping them saves little."""

ALIGNMENT = 64
"""`export.onnx_file` starts large weights at multiples of this. Other weights are copied, because processors and
compilers may require aligned numbers."""

GRAPH, INITIALIZER, RAW_DATA = 7, 5, 9
"""The fields of a model, a graph and a tensor that lead to the bytes of a weight."""
EXTERNAL_DATA, DATA_LOCATION, EXTERNAL = 13, 14, 1
KEY, VALUE = 1, 2


class Field(msgspec.Struct, frozen=True):
    """A field of a protobuf message, as offsets into the file.

    Attributes:
        number: Its number in the message's type.
        start: Where its tag starts.
        content: Where its content starts, after its tag and length.
        end: Where it ends.
    """

    number: int
    start: int
    content: int
    end: int


def read_fields(content: Content, start: int, end: int) -> Iterator[Field]:
    """Read the fields of a message.

    Args:
        content: The whole file.
        start: Where the message starts.
        end: Where it ends.

    Yields:
        Its fields. Those that are not length-delimited have the number 0.

    Raises:
        ValueError: The bytes are not valid protobuf.
    """
    while start < end:
        tag, offset = read_varint(content, start, end)
        encoding, number = tag & 7, 0
        if encoding == BYTES:
            size, offset = read_varint(content, offset, end)
            number, stop = (tag & 0xFFFFFFFF) >> 3, offset + size
        elif encoding == VARINT:
            _, stop = read_varint(content, offset, end)
        elif encoding in (FIXED_32, FIXED_64):
            stop = offset + (4 if encoding == FIXED_32 else 8)
        else:
            raise ValueError(f"the field at byte {start} has the unknown wire type {encoding}")
        if stop > end:
            raise ValueError(f"the field at byte {start} is longer than the message that contains it")
        yield Field(number, start, offset, stop)
        start = stop


def large_weight(content: Content, field: Field) -> Field | None:
    """Find the bytes of a large weight.

    Args:
        content: The whole file.
        field: A field of the graph.

    Returns:
        The field with its bytes; None if the field is not a weight or not large, or keeps its numbers in another form.
    """
    if field.number != INITIALIZER or field.end - field.content < LARGE_BYTES:
        return None
    # Of a field that occurs twice, the last one counts.
    found = [inner for inner in read_fields(content, field.content, field.end) if inner.number == RAW_DATA]
    return found[-1] if found and found[-1].end - found[-1].content >= LARGE_BYTES else None


def with_mapped_weights(content: Content, name: str) -> bytes | None:
    """Copy a graph without its large weights.

    Args:
        content: The file of the graph. It must not have external data.
        name: The name of the file.

    Returns:
        The copy, in which large weights name their bytes in the file; None if there are no large, aligned weights.

    Raises:
        ValueError: The bytes are not valid protobuf.
    """
    # Each field of the model, with the fields of the graph if it is the graph.
    parts = [
        (part, [*read_fields(content, part.content, part.end)] if part.number == GRAPH else [])
        for part in read_fields(content, 0, len(content))
    ]
    weights = {
        field: raw
        for _, fields in parts
        for field in fields
        if (raw := large_weight(content, field)) and raw.content % ALIGNMENT == 0
    }
    if not weights:
        return None
    model = bytearray()
    for part, fields in parts:
        graph = bytearray()
        for field in fields:
            if field in weights:
                graph += message(INITIALIZER, _mapped(content, field, weights[field], name))
            else:
                graph += content[field.start : field.end]
        model += message(GRAPH, graph) if part.number == GRAPH else content[part.start : part.end]
    return bytes(model)


def _mapped(content: Content, tensor: Field, raw: Field, name: str) -> bytes:
    """Return a tensor whose bytes are in a file."""
    fields = read_fields(content, tensor.content, tensor.end)
    described = b"".join(content[field.start : field.end] for field in fields if field.number != RAW_DATA)
    place = {"location": name, "offset": str(raw.content), "length": str(raw.end - raw.content)}
    entries = [message(KEY, key.encode()) + message(VALUE, value.encode()) for key, value in place.items()]
    located = varint(DATA_LOCATION << 3 | VARINT) + varint(EXTERNAL)
    return described + b"".join(message(EXTERNAL_DATA, entry) for entry in entries) + located


def message(number: int, content: bytes | bytearray) -> bytes:
    """Encode a length-delimited field."""
    return varint(number << 3 | BYTES) + varint(len(content)) + content


def varint(value: int, size: int = 1) -> bytes:
    """Encode a number in seven bits per byte, lowest bits first.

    Args:
        value: The number, not negative.
        size: The least number of bytes. Decoders accept more than necessary.

    Returns:
        The bytes. All but the last have their highest bit set.
    """
    encoded = bytearray()
    while value >= 0x80 or len(encoded) < size - 1:
        encoded.append(0x80 | value & 0x7F)
        value >>= 7
    return bytes([*encoded, value])
