"""The proof of parity: what passes, what fails, and how it is reported.

The models here are tiny bundles that act as their own model, with one answer changed; test_build.py alters real ones.
"""

import copy
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import msgspec
import numpy as np
import pandas as pd
import pytest

from export.edge_cases import ODD_TEXTS
from export.errors import ModelError, ParityError
from export.golden import golden_rows
from export.model import SourceModel
from export.parity import TOLERANCE, Comparison, Row, prove, rows_to_try, same_input
from handler.certificate import Parity
from handler.predictor import Predictor
from tests.bundles import CRASH, INTENT, write_bundle

ROWS = [Row(f"row {number}", {"text": text}, odd=number == 0) for number, text in enumerate(["hello", "fly", "hotel"])]
Change = Callable[[list[dict[str, Any]]], None]


class Twin:
    """A model that answers as a bundle does, until a test changes its answers or ids."""

    def __init__(self, folder: Path, change: Change, new_ids: Sequence[int] = ()) -> None:
        self.predictor = Predictor(folder)
        self.change, self.new_ids = change, new_ids
        self.metadata = {"text": {"idx2str": ["<PAD>", "hello"]}}

    def predict(self, rows: pd.DataFrame) -> list[dict[str, Any]]:
        answers = copy.deepcopy(self.predictor.predict(rows.to_dict("records")))
        self.change(answers)
        return answers

    def encode(self, rows: pd.DataFrame) -> dict[str, np.ndarray]:
        ids = {name: np.array(tensor) for name, tensor in self.predictor.encode(rows.to_dict("records")).items()}
        ids["text"][list(self.new_ids), 0] += 1
        return ids


def twin(folder: Path, change: Change = lambda answers: None, new_ids: Sequence[int] = ()) -> SourceModel:
    return cast("SourceModel", Twin(folder, change, new_ids))


def proof(folder: Path, change: Change, new_ids: Sequence[int] = ()) -> tuple[Parity, list[Comparison]]:
    return prove(twin(folder, change, new_ids), folder, ROWS)


def shift(column: str, amount: float) -> Change:
    """Return a change that moves a number, or the first of several, in the answer to the second row."""

    def change(answers: list[dict[str, Any]]) -> None:
        value = answers[1][column]
        answers[1][column] = [value[0] + amount, *value[1:]] if isinstance(value, list) else value + amount

    return change


def put(column: str, value: object) -> Change:
    return lambda answers: answers[1].update({column: value})


def drop(answers: list[dict[str, Any]]) -> None:
    del answers[1]["intent_probability"]


def test_equal_answers_pass(bundles: Path) -> None:
    for name in ("intent", "slots"):
        parity, comparisons = proof(bundles / name, lambda answers: None)
        assert (parity.passed, parity.max_abs_diff) == (True, 0)
        assert (parity.rows, parity.odd_rows, parity.ids_equal, parity.labels_equal) == (3, 1, 3, 3)
        assert not any(comparison.differences for comparison in comparisons)


@pytest.mark.parametrize("column", ["intent_probabilities", "intent_probability", "intent_probabilities_greeting"])
@pytest.mark.parametrize(("amount", "passed"), [(0.9e-4, True), (-0.9e-4, True), (1.1e-4, False), (-1.1e-4, False)])
def test_probabilities_may_differ_only_by_the_tolerance(
    column: str, amount: float, passed: bool, bundles: Path
) -> None:
    parity, comparisons = proof(bundles / "intent", shift(column, amount))
    assert parity.passed is passed
    assert parity.max_abs_diff == pytest.approx(abs(amount), rel=1e-3)
    assert (parity.labels_equal, parity.tolerance) == (3, TOLERANCE)
    assert comparisons[0].row.name == "row 1"
    assert comparisons[0].differences == ([] if passed else [f"{column} differs by 0.00011"])


@pytest.mark.parametrize(("share", "passed"), [(0.9e-4, True), (1.1e-4, False)])
def test_sums_of_logarithms_may_differ_relatively(
    share: float, passed: bool, bundles: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    predict = Predictor.predict

    def unlikely(self: Predictor, rows: Sequence[Any]) -> list[dict[str, Any]]:
        return [{**columns, "slots_probability": -50.0} for columns in predict(self, rows)]

    monkeypatch.setattr(Predictor, "predict", unlikely)
    parity, _ = proof(bundles / "slots", put("slots_probability", -50 * (1 + share)))
    assert parity.passed is passed
    assert parity.max_abs_diff == pytest.approx(share, rel=1e-3)


@pytest.mark.parametrize(
    ("change", "difference"),
    [
        (put("intent_predictions", "greeting"), "intent_predictions: Ludwig 'greeting', the bundle 'book_flight'"),
        (put("intent_more", 1.0), "column intent_more is only in Ludwig"),
        (drop, "column intent_probability is only in the bundle"),
    ],
    ids=["label", "column of Ludwig", "column of the bundle"],
)
def test_different_labels_and_columns_fail(change: Change, difference: str, bundles: Path) -> None:
    parity, comparisons = proof(bundles / "intent", change)
    assert (parity.passed, parity.labels_equal, parity.ids_equal) == (False, 2, 3)
    assert (comparisons[0].row.name, comparisons[0].differences) == ("row 1", [difference])


def test_one_different_tag_in_a_sequence_fails(bundles: Path) -> None:
    def change(answers: list[dict[str, Any]]) -> None:
        answers[2]["slots_predictions"][-1] = "B-date"

    parity, comparisons = proof(bundles / "slots", change)
    assert (parity.passed, parity.labels_equal) == (False, 2)
    assert comparisons[0].row.name == "row 2"


def test_different_ids_fail_even_if_the_answers_are_equal(bundles: Path) -> None:
    parity, comparisons = proof(bundles / "intent", lambda answers: None, new_ids=[1])
    assert (parity.passed, parity.ids_equal, parity.labels_equal, parity.max_abs_diff) == (False, 2, 3, 0)
    assert (comparisons[0].row.name, comparisons[0].differences) == ("row 1", ["token ids differ"])


@pytest.mark.parametrize("value", [float("nan"), float("inf"), [0.5], []], ids=["nan", "infinite", "short", "empty"])
@pytest.mark.parametrize("column", ["intent_probability", "intent_probabilities"])
def test_numbers_that_cannot_be_compared_fail(column: str, value: Any, bundles: Path) -> None:
    parity, _ = proof(bundles / "intent", put(column, value))
    assert not parity.passed
    assert parity.max_abs_diff is None
    assert msgspec.json.decode(msgspec.json.encode(parity), type=Parity) == parity


def test_only_the_worst_rows_are_kept_worst_first(bundles: Path) -> None:
    rows = [Row(f"row {number}", {"text": "a secret"}, odd=False) for number in range(9)]

    def change(answers: list[dict[str, Any]]) -> None:
        for number, answer in enumerate(answers):
            answer["intent_probability"] += number / 100
        answers[2]["intent_predictions"] = "greeting"

    parity, comparisons = prove(twin(bundles / "intent", change, new_ids=[4]), bundles / "intent", rows)
    order = ["row 2", "row 4", "row 8", "row 7", "row 6", "row 5", "row 3", "row 1", "row 0"]
    assert [comparison.row.name for comparison in comparisons] == order
    assert [case.row for case in parity.worst] == order[:5]
    assert [(case.labels_equal, case.ids_equal) for case in parity.worst[:3]] == [
        (False, True),
        (True, False),
        (True, True),
    ]
    assert b"secret" not in msgspec.json.encode(parity)


def test_edge_cases_run_one_by_one_and_other_rows_in_batches(bundles: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    predict = Predictor.predict
    model = twin(bundles / "intent")

    def counted(self: Predictor, rows: Sequence[Any]) -> list[dict[str, Any]]:
        asked.append(len(rows))
        return predict(self, rows)

    monkeypatch.setattr(Predictor, "predict", counted)
    rows = [Row(f"row {number}", {"text": "fly"}, odd=number < 3) for number in range(100)]
    assert prove(model, bundles / "intent", rows)[0].passed
    assert sorted(asked) == [1, 1, 1, 33, 64, 100]  # 100: the model's own


def test_the_rows_are_edge_cases_and_the_users_own(tmp_path: Path) -> None:
    folder = write_bundle(tmp_path / "intent", INTENT, fill_value="")
    dataset = pd.DataFrame({"more": [1, 2, 3], "text": ["hi", "", None]})
    rows = rows_to_try(twin(folder), Predictor(folder).manifest, dataset)
    assert {row.name: row.values["text"] for row in rows if row.name in ODD_TEXTS} == ODD_TEXTS
    own = [row for row in rows if not row.odd]
    assert [(row.name, row.values) for row in own] == [
        ("row 0", {"text": "hi"}),
        ("row 1", {"text": ""}),
        ("row 2", {"text": None}),
    ]
    assert [row.values for row in rows if row.name == "missing"] == [{"text": None}]


def test_a_missing_value_is_not_tried_if_it_is_an_error(bundles: Path) -> None:
    rows = rows_to_try(twin(bundles / "intent"), Predictor(bundles / "intent").manifest, None)
    assert all(row.values["text"] is not None for row in rows)
    assert all(row.odd for row in rows)


def test_a_column_of_utterances_is_read_as_text(bundles: Path) -> None:
    manifest = Predictor(bundles / "intent").manifest
    rows = rows_to_try(twin(bundles / "intent"), manifest, pd.DataFrame({"utterance": ["hi"]}))
    assert rows[-1].values == {"text": "hi"}


def test_rows_without_the_models_column_are_refused(bundles: Path) -> None:
    manifest = Predictor(bundles / "intent").manifest
    with pytest.raises(ModelError, match=r"the columns \['words'\], but the model also reads \['text'\]"):
        rows_to_try(twin(bundles / "intent"), manifest, pd.DataFrame({"words": ["hi"]}))


@pytest.mark.parametrize("own", [0, 2])
def test_the_rows_closest_to_failing_become_golden(own: int, bundles: Path) -> None:
    rows = [Row(f"row {index}", {"text": "fly " * (index + 1)}, odd=False) for index in range(5)]
    rows += [Row("row of nothing", {"text": ""}, odd=True), Row("long", {"text": "x" * 1000}, odd=True)]
    _, comparisons = prove(twin(bundles / "intent", shift("intent_probability", 2e-5)), bundles / "intent", rows)
    kept = golden_rows(comparisons, own)
    nearest = [comparison.row.name for comparison in comparisons if not comparison.row.odd][:own]
    assert [(row.row, row.own) for row in kept] == [*((name, True) for name in nearest), ("row of nothing", False)]
    assert all(list(row.labels) == ["intent_predictions"] for row in kept)


def test_a_graph_that_fails_is_a_parity_error(tmp_path: Path, bundles: Path) -> None:
    breaking = write_bundle(tmp_path / "intent", INTENT, breaking=True)
    rows = [Row("crashing", {"text": CRASH}, odd=True)]
    with pytest.raises(ParityError, match=r"intent fails where its model answers \(crashing\): .* No bundle was"):
        prove(twin(bundles / "intent"), breaking, rows)


@pytest.mark.parametrize(
    ("found", "expected", "equal"),
    [
        (np.array([3, 4], dtype=np.int32), [3, 4], True),
        (np.array([3, 4], dtype=np.int32), [3, 5], False),
        (np.array([3], dtype=np.int32), [3, 4], False),
        (np.float32(0.5), np.nextafter(np.float32(0.5), np.float32(1)), True),
        (np.float32(0.5), np.float32(0.500001), False),
        (np.float32(0), np.float32(1e-30), False),
        (np.array([1, 2], dtype=np.float32), [1.0], False),
        (np.array([True]), [True], True),
    ],
)
def test_ids_are_compared_exactly_and_numbers_up_to_rounding_errors(
    found: np.ndarray, expected: Any, equal: bool
) -> None:
    assert same_input(np.asarray(found), expected) is equal
