"""The choice of a configuration: candidates, folds, the comparison and its winner."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from training.choice.candidates import CANDIDATES, Candidate, Prefer, find_candidates
from training.choice.choose import looks_english, what_to_learn
from training.choice.comparing import compare, described
from training.choice.folds import FEW_ROWS, deal
from training.choice.trials import Trial
from training.errors import DatasetError
from training.evaluation.calibration import fit_temperature
from training.evaluation.crossed import Crossed

LIGHT, HEAVY = Candidate("light", "intent", 1), Candidate("heavy", "intent", 10)
FOLDS = [np.arange(100)] * 3


def trial(right: int, seconds: float = 0.0) -> Trial:
    """Return a trial of 100 rows, of which the first `right` are answered correctly."""
    records = [{"intent": "a", "intent_predictions": "a" if row < right else "b"} for row in range(100)]
    return Trial(records, {}, seconds)


@pytest.mark.parametrize(
    ("light", "heavy", "prefer", "winner", "rounds"),
    [
        (90, 90, "balanced", "light", [3, 3]),
        (60, 90, "balanced", "heavy", [1, 3]),  # clearly worse: drops out after one round
        (90, 60, "accurate", "light", [3, 1]),
        (89, 90, "accurate", "heavy", [3, 3]),
    ],
)
def test_the_best_candidate_wins_and_clearly_worse_ones_drop_out(
    light: int, heavy: int, prefer: str, winner: str, rounds: Sequence[int]
) -> None:
    scores = {"light": light, "heavy": heavy}
    found, contenders = compare(
        [LIGHT, HEAVY],
        FOLDS,
        lambda candidate, _: trial(scores[candidate.config]),
        budget_minutes=1,
        prefer=prefer,  # type: ignore[arg-type]
    )
    assert found.candidate.config == winner
    assert [len(each.trials) for each in contenders] == rounds
    choice = described(found, contenders, learn="intent", prefer=prefer, left=[])  # type: ignore[arg-type]
    assert choice["winner"] == winner
    assert winner in choice["reason"]


@pytest.mark.parametrize(
    ("light", "heavy", "further", "winner"),
    [
        (60, 90, 90, "further"),
        (60, 90, 89, "further"),  # a little worse than the one that it continues
        (60, 90, 80, "heavy"),  # clearly worse
        (90, 90, 90, "light"),  # the lightest one is as good
    ],
)
@pytest.mark.parametrize("prefer", ["balanced", "accurate"])
def test_a_candidate_that_trains_another_one_further_wins_unless_it_is_clearly_worse(
    light: int, heavy: int, further: int, winner: str, prefer: Prefer
) -> None:
    scores = {"light": light, "heavy": heavy, "further": further}
    candidates = [LIGHT, HEAVY, Candidate("further", "intent", 50, continues="heavy")]
    found, contenders = compare(
        candidates, FOLDS, lambda candidate, _: trial(scores[candidate.config]), budget_minutes=1, prefer=prefer
    )
    assert found.candidate.name == winner
    reason = described(found, contenders, learn="intent", prefer=prefer, left=[])["reason"]
    assert winner in reason
    assert ("trains heavy further" in reason) is (further == 89)


@pytest.mark.parametrize(("copies", "winner"), [(90, "light"), (89, "light"), (97, "light --augment 2")])
def test_copies_win_only_if_they_improve_the_answers_to_held_out_rows(copies: int, winner: str) -> None:
    scores = {"light": 90, "light --augment 2": copies}
    pair = [LIGHT, LIGHT.augmented(2)]
    found, contenders = compare(
        pair, FOLDS, lambda candidate, _: trial(scores[candidate.name]), budget_minutes=1, prefer="balanced"
    )
    assert found.candidate.name == winner
    assert {each.candidate.name: each.candidate.weight for each in contenders} == {"light": 1, "light --augment 2": 3}
    assert winner in described(found, contenders, learn="intent", prefer="balanced", left=[])["reason"]


def test_no_trial_starts_that_would_exceed_the_budget() -> None:
    tried = []

    def attempt(candidate: Candidate, number: int) -> Trial:
        tried.append((candidate.config, number))
        return trial(90, seconds=50.0)

    found, contenders = compare([LIGHT, HEAVY], FOLDS, attempt, budget_minutes=1.0, prefer="balanced")
    assert tried == [("light", 0)]
    left = described(found, contenders, learn="intent", prefer="balanced", left=[])["left"]
    assert left == ["heavy would exceed the time budget"]


def test_the_heaviest_trial_says_whether_the_next_candidate_fits_the_budget() -> None:
    """The time of light models is mostly Ludwig's startup, which is the same for all candidates."""
    seconds = {"light": 20.0, "heavy": 30.0, "heaviest": 60.0}
    candidates = [LIGHT, HEAVY, Candidate("heaviest", "intent", 20)]
    _, contenders = compare(
        candidates,
        FOLDS[:1],
        lambda candidate, _: trial(90, seconds[candidate.config]),
        budget_minutes=7.0,
        prefer="balanced",
    )
    assert [len(each.trials) for each in contenders] == [1, 1, 1]


def test_candidates_that_take_too_long_pause_while_the_others_answer_more_folds() -> None:
    """After two folds, only the frozen model is left to compare, and the one that trains it further takes its place."""
    seconds = {"light": 1.0, "frozen": 2.0, "further": 25.0}
    right = {"light": [90, 70, 70], "frozen": [89, 90, 90], "further": [88]}
    candidates = [LIGHT, Candidate("frozen", "intent", 2), Candidate("further", "intent", 10, continues="frozen")]
    tried = []

    def attempt(candidate: Candidate, number: int) -> Trial:
        tried.append((candidate.config, number))
        return trial(right[candidate.config][number], seconds[candidate.config])

    found, contenders = compare(candidates, FOLDS, attempt, budget_minutes=0.75, prefer="balanced")
    assert [len(each.trials) for each in contenders] == [2, 2, 1]
    assert tried[3:5] == [("light", 1), ("frozen", 1)]
    assert found.candidate.config == "further"
    choice = described(found, contenders, learn="intent", prefer="balanced", left=[])
    assert choice["winner"] == "further"


@pytest.mark.parametrize(("paused", "winner"), [(99, "slow"), (90, "quick"), (80, "quick")])
def test_a_candidate_that_paused_wins_only_by_rows_that_both_answered(paused: int, winner: str) -> None:
    seconds = {"light": 1.0, "quick": 2.0, "slow": 25.0}
    right = {"light": 88, "quick": 90, "slow": paused}
    candidates = [LIGHT, Candidate("quick", "intent", 2), Candidate("slow", "intent", 10)]
    found, contenders = compare(
        candidates,
        FOLDS,
        lambda candidate, _: trial(right[candidate.config], seconds[candidate.config]),
        budget_minutes=0.75,
        prefer="balanced",
    )
    assert len(contenders[2].trials) == 1
    if paused == 90:  # otherwise, one of them is clearly worse
        assert contenders[2].note == "paused after 1 of 3 folds, to save time"
    assert found.candidate.config == winner


def rows(count: int) -> pd.DataFrame:
    return pd.DataFrame(
        {"text": [f"say word{number // 2}" for number in range(count)], "intent": ["a", "a", "b", "b"] * (count // 4)}
    )


def test_each_row_is_in_one_fold_and_equal_rows_share_a_fold() -> None:
    dataset = rows(200)
    folds = deal(dataset, "text", "intent", seed=1)
    assert sorted(np.concatenate(folds)) == list(range(200))
    for held in folds:
        assert len(held) == 40
        assert all(first % 2 == 1 or second == first + 1 for first, second in pairwise(held))
        assert dataset["intent"].iloc[held].value_counts().to_dict() == {"a": 20, "b": 20}


def test_large_datasets_have_one_fold_which_is_the_given_validation_split() -> None:
    dataset = rows(FEW_ROWS)
    assert [len(held) for held in deal(dataset, "text", "intent", seed=1)] == [FEW_ROWS // 10]
    given = dataset.assign(split=[1] * 300 + [0] * (FEW_ROWS - 300))
    (held,) = deal(given, "text", "intent", seed=1)
    assert held.tolist() == list(range(300))


def test_every_candidate_has_a_configuration_file_and_minilm_is_skipped_for_other_languages() -> None:
    assert all(candidate.path.is_file() for candidate in CANDIDATES)
    for learn in ("intent", "slots", "language"):
        found, left = find_candidates(learn, 100, is_english=False, prefer="accurate")
        assert found
        assert not any(candidate.is_english for candidate in found)
        assert all("English only" in reason or "rows or more" in reason for reason in left)


@pytest.mark.parametrize(
    ("prefer", "names"),
    [
        ("fast", ["slots-light", "slots-lstm", "slots-lstm-en"]),
        ("balanced", ["slots-light", "slots-lstm-en", "slots-minilm"]),
        ("accurate", ["slots-light", "slots-lstm-en", "slots-minilm"]),
    ],
)
def test_english_slots_are_learned_by_the_models_that_know_english_words_unless_fast_ones_are_preferred(
    prefer: Prefer, names: list[str]
) -> None:
    found, _ = find_candidates("slots", 200, is_english=True, prefer=prefer)
    assert [each.config for each in found] == names


def test_the_column_to_learn_follows_from_the_columns_and_the_output() -> None:
    dataset = pd.DataFrame({"text": ["a"], "intent": ["b"], "slots": ["O"]})
    assert what_to_learn(dataset, Path("runs/slots")) == "slots"
    assert what_to_learn(dataset, Path("runs/mine")) == "intent"
    with pytest.raises(DatasetError, match="expected intent, slots, language, or --config"):
        what_to_learn(dataset[["text"]], Path("runs/mine"))


@pytest.mark.parametrize(
    ("texts", "languages", "english"),
    [
        (["what is the time", "play a song for me"], None, True),
        (["quelle heure est-il", "joue une chanson"], None, False),
        (["كم الساعة", "شغل أغنية"], None, False),
        (["hola", "hola"], ["en", "en-GB"], True),
        (["what is the time", "hi"], ["en", "fr"], False),
    ],
)
def test_english_is_detected_by_the_column_or_the_words(
    texts: list[str], languages: list[str] | None, english: bool
) -> None:
    dataset = pd.DataFrame({"text": texts} | ({"language": languages} if languages else {}))
    assert looks_english(dataset) is english


def test_temperatures_are_fitted_on_held_out_answers() -> None:
    logs = np.log([[0.99, 0.01]] * 10).tolist()
    right: list[int | None] = [0] * 7 + [1] * 3  # confidence 0.99, but only 7 of 10 are correct
    temperature = fit_temperature(logs, right)
    assert temperature > 2
    records = [
        {
            "intent": "a",
            "intent_predictions": "a",
            "intent_probability": 0.99,
            "intent_logs": each,
            "intent_index": index,
        }
        for each, index in zip(logs, right, strict=True)
    ]
    crossed = Crossed(records, {}, "rows", {})
    config = {"output_features": [{"name": "intent", "type": "category", "calibration": True}]}
    record = crossed.calibrated(config).records[0]
    assert record["intent_probability"] == pytest.approx(0.7, abs=0.03)
    assert record["intent_uncalibrated"] == 0.99
    assert "intent_logs" not in record


@pytest.mark.parametrize(("is_english", "tried"), [(True, True), (False, False)])
def test_vectors_of_english_words_are_tried_for_english_only_and_after_the_lighter_model(
    *, is_english: bool, tried: bool
) -> None:
    found, left = find_candidates("intent", 300, is_english=is_english, prefer="fast")
    names = [each.config for each in found]
    assert names[0] == "intent-light"
    assert ("intent-light-en" in names) is tried
    assert ("intent-light-en reads English only" in left) is not tried
