"""Distill static vectors of English words from MiniLM: encode each word of its vocabulary once, without context.

Method: Tulkens and van Dongen, Model2Vec, 2024, without its frequency weights.
"""

import numpy as np

from training.config import minilm_folder

BATCH = 512
SIZE = 256


def static_vectors(most: int) -> dict[str, np.ndarray]:
    """Return a vector for each whole word of MiniLM's vocabulary.

    Args:
        most: Maximum number of words; the most frequent words come first.

    Returns:
        A float32 vector of shape (256,) for each word.

    Raises:
        ConfigError: The package with MiniLM is not installed.
    """
    import torch
    from transformers import AutoModel, AutoTokenizer

    folder = str(minilm_folder())
    tokenizer = AutoTokenizer.from_pretrained(folder)
    network = AutoModel.from_pretrained(folder).eval()
    words = sorted(
        (index, word) for word, index in tokenizer.get_vocab().items() if not word.startswith("##") and word[0] != "["
    )[:most]
    vectors = []
    with torch.inference_mode():
        for first in range(0, len(words), BATCH):
            ids = torch.tensor([index for index, _ in words[first : first + BATCH]])
            start, stop = torch.full_like(ids, tokenizer.cls_token_id), torch.full_like(ids, tokenizer.sep_token_id)
            rows = torch.stack([start, ids, stop], dim=1)
            vectors.append(network(input_ids=rows).last_hidden_state.mean(dim=1).numpy())
    found = _reduced(np.concatenate(vectors))
    return {word: found[index] for index, (_, word) in enumerate(words)}


def _reduced(vectors: np.ndarray) -> np.ndarray:
    """Project vectors onto their first 256 principal components, and scale them to a mean length of 1."""
    centered = vectors - vectors.mean(axis=0)
    _, axes = np.linalg.eigh(centered.T @ centered)
    found = centered @ axes[:, ::-1][:, :SIZE]
    return np.asarray(found / np.linalg.norm(found, axis=1).mean(), dtype=np.float32)
