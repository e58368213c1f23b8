"""The simulator of Lambda's scaling and real environments come to the same decisions."""

import numpy as np
import pytest

from benchmarks.dispatcher import Message, durations
from benchmarks.scaling import FIGURES, Run, figures, limited, measure, predicted, same_decisions, tables
from ludwig_serverless.simulation.fleet import COLD, CONCURRENCY, WARM


def test_a_different_decision_is_noticed() -> None:
    messages = [Message(0.0, COLD, 1.0), Message(0.5, CONCURRENCY), Message(1.2, WARM, 1.3), Message(9.0, COLD, 9.5)]
    assert same_decisions(Run(1.0, messages), limited(1)) == 1
    assert same_decisions(Run(1.0, messages), limited(2)) == 0.75
    assert durations(messages) == pytest.approx([1.0, 0.0, 0.1, 0.5])


def test_figures_count_throttled_messages_and_time_the_others() -> None:
    kinds = np.array([COLD, WARM, WARM, CONCURRENCY], dtype=np.uint8)
    assert figures(kinds, np.array([3.0, 1.0, 2.0, 99.0])) == pytest.approx([0.25, 0.25, 2000, 2800])


@pytest.mark.integration
def test_real_environments_do_what_the_simulator_says() -> None:
    """Times differ from run to run, but each decision follows from the recorded times, on any machine."""
    settings, random = limited(2), np.random.default_rng(0)
    run = measure(6.0, 8.0, settings, random)
    assert {WARM, COLD, CONCURRENCY} <= set(run.kinds.tolist())
    assert same_decisions(run, settings) == 1
    assert predicted(run, settings, random, repeats=3).shape == (3, len(FIGURES))
    assert any("comes to the dispatcher's decision for" in line for line in tables([run], settings, random))
