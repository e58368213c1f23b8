"""Read fastText's quantized models (.ftz): words, n-gram buckets, product-quantized vectors and the label tree.

Source: `FastText::loadModel`, `Dictionary::load`, `QMatrix::load` and `HierarchicalSoftmaxLoss::buildTree` of fastText
0.9.2. All numbers in the file are little-endian.
"""

import struct
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np

from export.errors import ModelError
from handler.fasttext import END_OF_LINE, LABEL

MAGIC, VERSION = 793712314, 12
HIERARCHICAL_SOFTMAX, SUPERVISED = 1, 3
CENTROIDS = 256
UNSEEN = 10**15
"""The count that fastText gives to an inner node before it is built."""


@dataclass(frozen=True)
class FastTextModel:
    """The content of the file of a supervised model with hierarchical softmax.

    Attributes:
        words: The words that the model kept, in the order of their ids.
        buckets: The bucket of each n-gram that the model kept, in the order of their ids, which follow the words'.
        labels: The labels, without their prefix.
        shortest: The length of the shortest n-grams in characters.
        longest: The length of the longest n-grams.
        bucket_count: The number of hash values.
        codes: Quantized vectors, uint8, (ids, parts).
        centroids: The vector that each code refers to, float32, (parts, 256, part size).
        norms: The norm of each vector, float32, (ids,).
        nodes: The vectors of the tree's inner nodes, float32, (labels - 1, dimension).
        counts: How often training saw each label. The tree is built from these counts.
    """

    words: list[str]
    buckets: list[int]
    labels: list[str]
    shortest: int
    longest: int
    bucket_count: int
    codes: np.ndarray
    centroids: np.ndarray
    norms: np.ndarray
    nodes: np.ndarray
    counts: list[int]

    def paths(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the path to each label in the Huffman tree that fastText builds from the labels' counts.

        Returns:
            Two float32 arrays, (inner nodes, labels): 1 where the path turns left at the node, and 1 where it turns
            right.
        """
        labels = len(self.labels)
        counts = [*self.counts, *[UNSEEN] * (labels - 1)]
        parents, is_right = [-1] * len(counts), [False] * len(counts)
        # Build a Huffman tree: each new inner node joins the two nodes with the smallest counts. Labels are sorted by
        # count, most frequent first, so the rarest unused label is at `leaf`, and the smallest unused inner node at
        # `inner`.
        leaf, inner = labels - 1, labels
        for node in range(labels, len(counts)):
            pair = []
            for _ in range(2):
                if leaf >= 0 and counts[leaf] < counts[inner]:
                    pair.append(leaf)
                    leaf -= 1
                else:
                    pair.append(inner)
                    inner += 1
            counts[node] = counts[pair[0]] + counts[pair[1]]
            parents[pair[0]] = parents[pair[1]] = node
            is_right[pair[1]] = True
        turns = np.zeros((2, labels - 1, labels), dtype=np.float32)
        for label in range(labels):
            node = label
            while parents[node] != -1:
                turns[int(is_right[node]), parents[node] - labels, label] = 1
                node = parents[node]
        return turns[0], turns[1]


def read_ftz(path: Path) -> FastTextModel:
    """Read a model.

    Args:
        path: A quantized, supervised fastText model with hierarchical softmax, such as `lid.176.ftz`.

    Returns:
        The model.

    Raises:
        ModelError: The file cannot be read, or contains another kind of model.
    """
    try:
        return _read(_Reader(path.read_bytes()), path)
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror}.") from None
    except (struct.error, ValueError, UnicodeDecodeError) as error:
        raise ModelError(f"{path} is truncated or not a fastText model: {error}. Download it again.") from None


class _Reader:
    """The file's bytes, read from start to end."""

    def __init__(self, content: bytes) -> None:
        self._file = BytesIO(content)

    def numbers(self, form: str) -> tuple[int, ...]:
        """Read numbers in a format of `struct`."""
        return struct.unpack(f"<{form}", self._file.read(struct.calcsize(f"<{form}")))

    def array(self, dtype: str, *shape: int) -> np.ndarray:
        """Read an array of a given dtype and shape."""
        size = int(np.prod(shape)) * np.dtype(dtype).itemsize
        return np.frombuffer(self._file.read(size), dtype=dtype).reshape(shape)

    def word(self) -> str:
        """Read a string that ends with a zero byte."""
        letters = bytearray()
        while (letter := self._file.read(1)) not in (b"", b"\0"):
            letters += letter
        return letters.decode()


def _read(reader: _Reader, path: Path) -> FastTextModel:
    magic, version = reader.numbers("ii")
    if (magic, version) != (MAGIC, VERSION):
        raise ModelError(f"{path} is not a fastText model of version {VERSION}: give a file such as lid.176.ftz.")
    _, _, _, _, _, word_pairs, loss, kind, bucket_count, shortest, longest, _ = reader.numbers("12i")
    reader.numbers("d")
    words, labels, counts, buckets = _dictionary(reader)
    (is_quantized,) = reader.numbers("?")
    if not is_quantized or (loss, kind, word_pairs) != (HIERARCHICAL_SOFTMAX, SUPERVISED, 1):
        raise ModelError(
            f"{path} is another kind of fastText model: expected a quantized classifier (.ftz) with hierarchical "
            "softmax and without word n-grams, such as lid.176.ftz."
        )
    codes, centroids, norms = _vectors(reader)
    (is_quantized,) = reader.numbers("?")
    if is_quantized:
        raise ModelError(f"{path} has quantized labels, which are not supported: give a file such as lid.176.ftz.")
    rows, dimension = reader.numbers("qq")
    nodes = reader.array("<f4", rows, dimension)[: len(labels) - 1]
    return FastTextModel(
        words, buckets, labels, shortest, longest, bucket_count, codes, centroids, norms, nodes, counts
    )


def _dictionary(reader: _Reader) -> tuple[list[str], list[str], list[int], list[int]]:
    """Return the words, the labels and their counts, and the buckets of the kept n-grams in the order of their ids."""
    size, word_count, _, _, kept = reader.numbers("iiiqq")
    entries = [(reader.word(), reader.numbers("qb")[0]) for _ in range(size)]
    pairs = [reader.numbers("ii") for _ in range(max(kept, 0))]
    ids = {pair[0]: pair[1] for pair in pairs}
    if sorted(ids.values()) != list(range(len(ids))):
        raise ValueError("its n-grams are not numbered")
    labels = [(word.removeprefix(LABEL), count) for word, count in entries[word_count:]]
    buckets = sorted(ids, key=ids.__getitem__)
    words = [word for word, _ in entries[:word_count]]
    if END_OF_LINE not in words:
        raise ValueError(f"its vocabulary lacks the end-of-line token {END_OF_LINE}")
    return words, [label for label, _ in labels], [count for _, count in labels], buckets


def _vectors(reader: _Reader) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the codes, centroids and norms of a product-quantized matrix."""
    has_norms, rows, _, code_count = reader.numbers("?qqi")
    parts = code_count // rows
    codes = reader.array("u1", rows, parts)
    centroids = _centroids(reader)
    norms = np.ones(rows, dtype=np.float32)
    if has_norms:
        norm_codes = reader.array("u1", rows)
        norms = _centroids(reader)[0, norm_codes, 0]
    return codes, centroids, norms


def _centroids(reader: _Reader) -> np.ndarray:
    """Return the centroids of each part of a vector, (parts, 256, part size)."""
    dimension, parts, part_size, last_size = reader.numbers("4i")
    if part_size != last_size:
        raise ValueError(f"its vectors of {dimension} numbers are not divided into equal parts")
    return reader.array("<f4", parts, CENTROIDS, part_size)
