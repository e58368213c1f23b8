"""Options of `fit` that depend on each other."""

import argparse

from training.fit_command import add
from training.fit_options import BUDGET_MINUTES, budget_minutes_for


def test_accuracy_gets_more_time_unless_a_limit_is_given() -> None:
    parser = argparse.ArgumentParser()
    add(parser)
    given = parser.parse_args(["--dataset", "data.csv", "--output", "run", "--prefer", "accurate"])
    assert given.budget_minutes is None, "the default depends on --prefer"
    assert budget_minutes_for("accurate") > budget_minutes_for("balanced") == budget_minutes_for("fast")
    assert budget_minutes_for("balanced") == BUDGET_MINUTES
