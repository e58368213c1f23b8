"""Static vectors are computed once, and then read from the user's cache."""

from pathlib import Path

import numpy as np
import pytest

from training import static_vectors as module
from training.config import minilm_package
from training.static_vectors import SIZE, cache_file, static_vectors

WORDS = 3000
"""Enough for words with a meaning; encoding all of them takes half a minute."""


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    few = module._words(minilm_package())[:WORDS]
    monkeypatch.setattr(module, "_words", lambda _: few)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "ludwig-serverless"


def near(vectors: dict[str, np.ndarray], one: str, other: str) -> float:
    return float(vectors[one] @ vectors[other] / np.linalg.norm(vectors[one]) / np.linalg.norm(vectors[other]))


def test_words_of_one_meaning_are_near_and_a_second_training_reads_what_the_first_encoded(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = static_vectors(WORDS)
    assert len(first) == WORDS
    assert first["music"].shape == (SIZE,)
    assert near(first, "music", "song") > near(first, "music", "river") + 0.1
    assert [path.name for path in cache.iterdir()] == [cache_file(minilm_package()).name]
    monkeypatch.setattr(module, "_encoded", lambda _: pytest.fail("encoded again"))
    again = static_vectors(WORDS // 2)
    assert list(again) == list(first)[: WORDS // 2]
    assert np.array_equal(again["music"], first["music"])


def test_a_damaged_file_is_written_again(cache: Path) -> None:
    cache.mkdir()
    cache_file(minilm_package()).write_bytes(b"not an array")
    assert len(static_vectors(WORDS)) == WORDS
    assert np.load(cache_file(minilm_package())).shape == (WORDS, SIZE)


def test_a_folder_that_cannot_be_written_costs_time_only(cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cache.write_text("a file in place of the folder")
    assert len(static_vectors(10)) == 10
    assert "Cannot cache the word vectors in" in capsys.readouterr().err


@pytest.mark.parametrize("given", ["", "relative/folder"])
def test_the_cache_is_in_the_home_folder_unless_an_absolute_one_is_given(
    given: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", given)
    assert cache_file(minilm_package()).parent == Path.home() / ".cache" / "ludwig-serverless"
