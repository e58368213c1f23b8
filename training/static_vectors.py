"""Static vectors of English words, distilled from MiniLM: each word is encoded alone, once.

Method: Tulkens and van Dongen, Model2Vec, 2024, without its weights by frequency.
"""

import numpy as np

from training.config import minilm_folder

BATCH = 512
SIZE = 256


def static_vectors(most: int) -> dict[str, np.ndarray]:
    """Return a vector, float32, (256,), of each of MiniLM's whole words, the most frequent first.

    Args:
        most: How many words at most.

    Raises:
        ConfigError: If the package with MiniLM is not installed.
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
    return {word: found[place] for place, (_, word) in enumerate(words)}


def _reduced(vectors: np.ndarray) -> np.ndarray:
    """Return the first principal components of vectors, scaled to a mean length of 1."""
    centered = vectors - vectors.mean(axis=0)
    _, axes = np.linalg.eigh(centered.T @ centered)
    found = centered @ axes[:, ::-1][:, :SIZE]
    return np.asarray(found / np.linalg.norm(found, axis=1).mean(), dtype=np.float32)
