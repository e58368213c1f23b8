"""Distill static vectors of English words from MiniLM: encode each word of its vocabulary once, without context.

Method: Tulkens and van Dongen, Model2Vec, 2024: principal components, and a weight for each word by its frequency rank.
The vectors are cached, because encoding takes half a minute.
"""

import hashlib
import os
from contextlib import suppress
from pathlib import Path

import numpy as np

from export.console import say
from export.pretrained import cache_folder
from training.config import minilm_package

BATCH = 1024
SIZE = 256
HEAD = 200
"""The weight of a word is the logarithm of this plus its rank: rare words say more than frequent ones."""
METHOD = f"words alone, {SIZE} components, log(rank + {HEAD})"
"""Part of the key of the cache: another method must not read these vectors."""


def static_vectors(most: int) -> dict[str, np.ndarray]:
    """Return a vector for each whole word of MiniLM's vocabulary, from the cache if it has them.

    Args:
        most: Maximum number of words; the most frequent words come first.

    Returns:
        A float32 vector of shape (256,) for each word.

    Raises:
        ConfigError: The package with MiniLM is not installed.
    """
    model = minilm_package()
    kept = cache_file(model)
    found = _read(kept)
    if found is None:
        say("Encoding the words of MiniLM; later trainings read them from the cache ...")
        found = _weighted(_reduced(_encoded(model)))
        _keep(found, kept)
    return dict(zip([word for _, word in _words(model)][:most], found, strict=False))


def cache_file(model: Path) -> Path:
    """Return the file of the cache.

    Args:
        model: The folder of MiniLM. The file's name contains a digest of the model and of the method.
    """
    digest = hashlib.sha256(METHOD.encode())
    for name in ("model.safetensors", "tokenizer.json"):
        digest.update((model / name).read_bytes())
    return cache_folder() / f"static-vectors-{digest.hexdigest()[:16]}.npy"


def _words(model: Path) -> list[tuple[int, str]]:
    """Return the whole words of the vocabulary with their ids, which are in the order of frequency."""
    from tokenizers import Tokenizer

    vocabulary = Tokenizer.from_file(str(model / "tokenizer.json")).get_vocab()
    return sorted((index, word) for word, index in vocabulary.items() if not word.startswith("##") and word[0] != "[")


def _encoded(model: Path) -> np.ndarray:
    """Return the mean of MiniLM's last layer for each word: float32, (words, 384)."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(str(model))
    network = AutoModel.from_pretrained(str(model)).eval()
    words, vectors = _words(model), []
    with torch.inference_mode():
        for first in range(0, len(words), BATCH):
            ids = torch.tensor([index for index, _ in words[first : first + BATCH]])
            start, stop = torch.full_like(ids, tokenizer.cls_token_id), torch.full_like(ids, tokenizer.sep_token_id)
            rows = torch.stack([start, ids, stop], dim=1)
            vectors.append(network(input_ids=rows).last_hidden_state.mean(dim=1).numpy())
    return np.concatenate(vectors)


def _reduced(vectors: np.ndarray) -> np.ndarray:
    """Project vectors onto their first 256 principal components, and scale them to a mean length of 1."""
    centered = vectors - vectors.mean(axis=0)
    _, axes = np.linalg.eigh(centered.T @ centered)
    found = centered @ axes[:, ::-1][:, :SIZE]
    return np.asarray(found / np.linalg.norm(found, axis=1).mean(), dtype=np.float32)


def _weighted(vectors: np.ndarray) -> np.ndarray:
    """Weight vectors, the most frequent word first, by the logarithm of their rank (Zipf's law)."""
    weights = np.log(np.arange(len(vectors)) + HEAD)
    return np.asarray(vectors * (weights / weights.mean())[:, None], dtype=np.float32)


def _read(path: Path) -> np.ndarray | None:
    """Return the cached vectors; None if there are none, or the file is damaged."""
    try:
        return np.asarray(np.load(path, allow_pickle=False))
    except (OSError, ValueError, EOFError):
        return None


def _keep(vectors: np.ndarray, path: Path) -> None:
    """Write the cache file in one step. A folder that cannot be written only makes the next training slower."""
    part = path.with_suffix(f".{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as file:
            np.save(file, vectors, allow_pickle=False)
        part.replace(path)
    except OSError as error:
        with suppress(OSError):
            part.unlink()
        say(f"Cannot cache the word vectors in {path.parent}: {error.strerror}. The next training encodes them again.")
