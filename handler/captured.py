"""A captured message: what the service stores of an unsure or sampled request, and what `review` reads.

Each line of a capture file is one message as JSON. Capture files are JSON Lines, often compressed with gzip.
"""

from collections.abc import Iterator
from typing import Literal

import msgspec

Reason = Literal["below_threshold", "small_margin", "fallback", "sample", "shadow"]
"""Why a message was captured."""


SHADOW_SUFFIX = " (shadow)"


class CapturedVerdict(msgspec.Struct, frozen=True):
    """A model's answer to a message.

    Attributes:
        seal: The seal of the model's bundle.
        output: The name of the output, such as `intent`.
        label: The label that was answered; None if the confidence is below the label's threshold.
        confidence: The confidence of the best label, in [0, 1].
        ranking: Up to five labels with their confidences, the best first.
    """

    seal: str
    output: str
    label: str | None
    confidence: float
    ranking: list[tuple[str, float]] = []


class CapturedEntity(msgspec.Struct, frozen=True):
    """A slot value in a message.

    Attributes:
        start: Position of the first character, in code points.
        end: Position after the last character, in code points.
        type: The slot's name.
        value: The value, which may differ from the text at these positions.
        confidence: The confidence, in [0, 1].
    """

    start: int
    end: int
    type: str
    value: str
    confidence: float


class CapturedMessage(msgspec.Struct, frozen=True):
    """One captured message.

    Attributes:
        id: A unique id; a repeated id is the same message.
        time: When the message was answered, in UTC as ISO 8601.
        text: The message after scrubbing.
        reason: Why it was captured.
        version: The version of the service that answered.
        models: Each model's answer, by the model's name. The answer of its shadow is under `shadow_name`.
        language: The answered language; None if unknown.
        entities: The slot values, in the order of the text.
    """

    id: str
    time: str
    text: str
    reason: Reason
    version: str = ""
    models: dict[str, CapturedVerdict] = {}
    language: str | None = None
    entities: list[CapturedEntity] = []


def shadow_name(name: str) -> str:
    """Return the name in `CapturedMessage.models` of the shadow of a model."""
    return f"{name}{SHADOW_SUFFIX}"


def encode_message(message: CapturedMessage) -> bytes:
    """Return a message as one line of a capture file, with its line feed."""
    return msgspec.json.encode(message) + b"\n"


def decode_messages(content: bytes) -> Iterator[CapturedMessage | int]:
    """Yield the messages of a capture file, and the numbers of its unreadable lines.

    A process that is killed can leave a broken last line, so that one bad line does not make the others unreadable.
    Unknown fields are ignored, because a later version may add some.

    Args:
        content: JSON Lines, not compressed.

    Yields:
        A message; or the number of a line, from 1, that is not a message. Errors never quote the line.
    """
    decoder = msgspec.json.Decoder(CapturedMessage)
    for number, line in enumerate(content.split(b"\n"), start=1):
        if line.strip():
            try:
                yield decoder.decode(line)
            except (msgspec.DecodeError, UnicodeDecodeError):
                yield number
