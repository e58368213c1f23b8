"""Group similar texts, so that one decision can cover many of them."""

from collections.abc import Sequence
from typing import Any

from handler.words import in_word

APART = 0.55
"""The average cosine distance at which two groups stay separate. 0 is the same text, 1 has no characters in common.

Measured on 600 train rows each: of the texts in groups, 94% have the most frequent intent of their group on the demo's
rows, and 89% on CLINC150's with 150 intents; half of the texts are in groups. With 0.7, 86% and 75% are.
"""
NGRAMS = (2, 4)
"""The lengths of the character n-grams that texts are compared by. They work in every language, and despite typos."""
BLOCK = 500


def grouped(texts: Sequence[str]) -> list[list[int]]:
    """Group texts by similarity. The same texts always give the same groups.

    Each text becomes a TF-IDF vector of its character n-grams. Agglomerative clustering with average linkage then
    joins the most similar groups until all are too far apart.

    Args:
        texts: Up to a few thousand texts; the memory grows with the square of their number.

    Returns:
        The positions of each group's texts, the most typical text first. Larger groups come first.
    """
    import numpy as np

    vectors = _vectors(texts)
    if vectors is None or len(texts) == 1:
        return [[position] for position in range(len(texts))]
    from sklearn.cluster import AgglomerativeClustering

    similarity = (vectors @ vectors.T).toarray()
    distance = np.clip(1 - similarity, 0, None)
    clustering = AgglomerativeClustering(
        n_clusters=None, distance_threshold=APART, metric="precomputed", linkage="average"
    )
    groups: dict[int, list[int]] = {}
    for position, label in enumerate(clustering.fit_predict(distance)):
        groups.setdefault(int(label), []).append(position)

    def typical_first(group: list[int]) -> list[int]:
        typical = similarity[np.ix_(group, group)].mean(axis=1).round(6)
        return [group[i] for i in sorted(range(len(group)), key=lambda i: (-typical[i], group[i]))]

    ordered = sorted(groups.values(), key=lambda group: (-len(group), group[0]))
    return [typical_first(group) for group in ordered]


def contradictory(texts: Sequence[str], labels: Sequence[str], near: float) -> list[list[int]]:
    """Group nearly identical texts with different labels.

    Args:
        texts: Any number of texts.
        labels: The label of each text; "" is unknown and contradicts nothing.
        near: The smallest cosine similarity of nearly identical texts, in [0, 1].

    Returns:
        The positions of each group's texts, at least two with different labels. The most similar groups come first.
    """
    vectors = _vectors(texts)
    if vectors is None:
        return []
    parent = list(range(len(texts)))
    closest: dict[int, float] = {}

    def root(position: int) -> int:
        while parent[position] != position:
            parent[position] = position = parent[parent[position]]
        return position

    for first in range(0, len(texts), BLOCK):
        similar = (vectors[first : first + BLOCK] @ vectors.T).tocoo()
        kept = similar.data >= near
        for row, other, similarity in zip(similar.row[kept], similar.col[kept], similar.data[kept], strict=True):
            one, two = first + int(row), int(other)
            if one < two and labels[one] and labels[two] and labels[one] != labels[two]:
                joined = (root(one), root(two))
                parent[max(joined)] = min(joined)
                closest[min(joined)] = max(float(similarity), *(closest.get(each, 0.0) for each in joined))
    groups: dict[int, list[int]] = {}
    for position in range(len(texts)):
        groups.setdefault(root(position), []).append(position)
    found = [group for group in groups.values() if len(group) > 1]
    return sorted(found, key=lambda group: (-round(closest[group[0]], 6), group[0]))


def _vectors(texts: Sequence[str]) -> Any:
    """Return a sparse matrix with a row of length 1 for each text; None if no text has any character to compare."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    if not any(text.strip() for text in texts):
        return None
    return TfidfVectorizer(analyzer="char_wb", ngram_range=NGRAMS, sublinear_tf=True).fit_transform(
        [_words(text) for text in texts]
    )


def _words(text: str) -> str:
    """Return a text in lower case without punctuation; a text of symbols, such as emoji, stays as it is."""
    folded = text.casefold()
    words = "".join(character if in_word(character) else " " for character in folded)
    return " ".join(words.split()) or folded
