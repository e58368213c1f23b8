"""The population stability index, and what it is measured on."""

import math
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from handler.bundle import read_bundle
from handler.drift import FEWEST, MOST_GROUPS, ExpectedSeries, dimension, index, place_name
from handler.errors import BundleError
from handler.thresholds import Expected
from tests.bundles import INTENT, give_expected, write_bundle
from tests.handler.deployment import lambda_handler

LABELS = {"book_flight": 60, "book_hotel": 30, "greeting": 30}
EDGES, CONFIDENCE = [0.5, 0.9], [20, 40, 60]


def test_the_index_is_the_psi_of_the_textbook_without_the_part_of_chance() -> None:
    """Half and half becomes 80 and 20 percent: 0.3 ln(1.6) + 0.3 ln(2.5) = 0.416, less (2 - 1) (1/n + 1/m)."""
    textbook = 0.3 * math.log(1.6) + 0.3 * math.log(2.5)
    assert index([50_000, 50_000], [80_000, 20_000]) == pytest.approx(textbook, abs=1e-4)
    small = index([500, 500], [800, 200])
    assert small == pytest.approx(textbook - 1 / 1000 - 1 / 1000, abs=2e-3)


def test_an_empty_group_keeps_the_index_finite() -> None:
    found = index([500, 500, 0], [500, 250, 250])
    assert found is not None
    assert 0.25 < found < 5


@pytest.mark.parametrize(("known", "new"), [(FEWEST - 1, 1000), (1000, FEWEST - 1)])
def test_too_few_messages_have_no_index(known: int, new: int) -> None:
    assert index([known, 0], [new, 0]) is None
    assert index([FEWEST, 0], [FEWEST, 0]) is not None


@pytest.mark.parametrize("messages", [FEWEST, 300, 3000])
def test_chance_alone_stays_below_the_threshold_and_a_new_mixture_does_not(messages: int) -> None:
    draw = random.Random(7)
    shares = [1 / (rank + 1) for rank in range(MOST_GROUPS)]
    groups = range(MOST_GROUPS)

    def counts(weights: list[float], number: int) -> list[int]:
        found = Counter(draw.choices(groups, weights, k=number))
        return [found[group] for group in groups]

    same = [index(counts(shares, messages), counts(shares, messages)) or 0.0 for _ in range(200)]
    assert sum(value > 0.25 for value in same) <= 2
    assert sum(same) / len(same) < 0.1
    changed = [index(counts(shares, messages), counts(shares[::-1], messages)) or 0.0 for _ in range(20)]
    assert min(changed) > 0.5


def reference(counts: dict[str, int]) -> ExpectedSeries:
    return ExpectedSeries(list(counts), Expected(labels=counts, edges=EDGES, confidence=CONFIDENCE))


def test_up_to_the_limit_each_label_has_its_own_group() -> None:
    found = reference({f"intent {number}": number for number in range(MOST_GROUPS)})
    assert found.labels == {f"intent {number}": number for number in range(MOST_GROUPS)}


def test_more_labels_share_groups_of_about_the_same_size() -> None:
    counts = {f"intent {number}": 10 for number in range(77)} | {"common": 200}
    found = reference(counts)
    assert len(found.labels) == MOST_GROUPS
    assert sum(found.labels.values()) == sum(counts.values())
    assert found.group_of["common"] == "common"
    others = [size for group, size in found.labels.items() if group != "common"]
    assert max(others) - min(others) <= 10
    assert "intent 0 +4" in found.labels
    assert set(found.group_of) == set(counts)


def test_a_surge_of_one_rare_label_of_many_shows() -> None:
    counts = {f"intent {number}": 10 for number in range(77)}
    found = reference(counts)
    now = Counter(found.group_of[label] for label in counts for _ in range(5))
    now[found.group_of["intent 40"]] += 385
    psi = index(list(found.labels.values()), [now[group] for group in found.labels])
    assert psi is not None
    assert psi > 0.25


@pytest.mark.parametrize(
    ("confidence", "name"), [(0.0, "0.0"), (0.49, "0.0"), (0.5, "0.5"), (0.9, "0.9"), (1.0, "0.9")]
)
def test_a_bin_contains_its_lower_edge(confidence: float, name: str) -> None:
    assert reference(LABELS).bin_of(confidence) == name


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("book_flight", "book_flight"),
        ("حجز", r"\u062d\u062c\u0632"),
        ("", "_"),
        (" ", "_ "),
        (":x", "_:x"),
        ("a\nb", r"a\nb"),
    ],
)
def test_names_of_groups_are_valid_in_cloudwatch(name: str, written: str) -> None:
    assert dimension(name) == written
    assert written.isascii()


def test_an_output_with_its_models_name_is_named_once() -> None:
    assert (place_name("intent", "intent"), place_name("nlu", "intent")) == ("intent", "nlu.intent")


@pytest.mark.parametrize(
    ("edges", "confidence"), [([0.5], [1]), ([0.5, 0.5], [1, 1, 1]), ([0.9, 0.5], [1, 1, 1]), ([0.5], [1, -1])]
)
def test_a_bundle_with_impossible_bins_is_refused(tmp_path: Path, edges: list[float], confidence: list[int]) -> None:
    bundle = give_expected(write_bundle(tmp_path / "intent", INTENT), LABELS, edges, confidence)
    with pytest.raises(BundleError, match="not a manifest that this handler can read"):
        read_bundle(bundle)


def check(tmp_path: Path, counts: Any = None) -> list[dict[str, Any]]:
    """Return the series that a function with one bundle answers to the drift check."""
    bundle = give_expected(write_bundle(tmp_path / "intent", INTENT), LABELS, EDGES, CONFIDENCE)
    handler = lambda_handler(bundle, AWS_LAMBDA_FUNCTION_VERSION="7")
    answer = handler({"check": "drift", "counts": counts}, None)
    assert answer["version"] == "7"
    series: list[dict[str, Any]] = answer["series"]
    return series


def test_the_function_names_its_series_and_compares_counts(tmp_path: Path) -> None:
    labels, confidence = check(tmp_path / "asked")
    assert (labels["model"], labels["kind"], confidence["kind"]) == ("intent", "labels", "confidence")
    assert set(labels["groups"]) == {*LABELS, r"<UNK>"}
    assert confidence["groups"] == ["0.0", "0.5", "0.9"]
    assert (labels["psi"], labels["messages"]) == (None, 0)
    labels, confidence = check(tmp_path / "same", [LABELS, {"0.0": 20, "0.5": 40, "0.9": 60}])
    assert (labels["psi"], confidence["psi"]) == (0.0, 0.0)
    assert labels["messages"] == 120
    labels, confidence = check(tmp_path / "changed", [{"greeting": 500}, {"0.0": 400, "0.9": 100}])
    assert labels["psi"] > 0.25
    assert confidence["psi"] > 0.25


@pytest.mark.parametrize("counts", [[], [{}], "x", [1, 2]], ids=["none", "one", "text", "numbers"])
def test_counts_of_another_shape_are_not_compared(tmp_path: Path, counts: Any) -> None:
    assert [each["psi"] for each in check(tmp_path, counts)] == [None, None]
