"""Settings that several workers cannot share, and workers that read other rows."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from training.errors import ConfigError, WorkerError
from training.parallel.agreement import check_equal, check_settings, digest
from training.parallel.team import Team, team_of_environment


def config(inputs: dict[str, Any] | None = None, **trainer: Any) -> dict[str, Any]:
    shared = {"batch_size": 8, "optimizer": {"type": "adam"}}
    return {"input_features": [{"name": "text", **(inputs or {})}], "trainer": {**shared, **trainer}}


def test_a_row_for_each_worker_is_enough() -> None:
    check_settings(config(), 8)


@pytest.mark.parametrize(
    ("refused", "message"),
    [
        (config(batch_size=2), "3 workers share each batch, but trainer.batch_size is 2"),
        (config(batch_size="auto"), "but with `trainer.batch_size: auto` Ludwig finds one by trial"),
        (config({"preprocessing": {"cache_encoder_embeddings": True}}), "Train it without --workers"),
        (config(optimizer={"type": "lbfgs"}), "The optimizer lbfgs cannot share its steps"),
        (config(loss_balancing="famo"), "`loss_balancing: famo` works only on one worker"),
    ],
)
def test_settings_that_workers_cannot_share(refused: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        check_settings(refused, 3)


def test_workers_with_other_rows_or_words_are_named() -> None:
    def of(ids: list[int], words: list[str]) -> str:
        rows = SimpleNamespace(dataset={"text": np.array(ids), "label": np.array(["a", None], dtype=object)})
        return digest([rows, None], {"text": {"idx2str": words}, "seed": 1})

    first = of([1, 2], ["x", "y"])
    check_equal([first, of([1, 2], ["x", "y"])])
    with pytest.raises(WorkerError, match="The rows of worker 1, 3 differ from those of worker 0"):
        check_equal([first, of([2, 1], ["x", "y"]), first, of([1, 2], ["y", "x"])])


def test_only_several_processes_are_a_team() -> None:
    assert team_of_environment({}) is None
    assert team_of_environment({"RANK": "0", "WORLD_SIZE": "1"}) is None
    assert team_of_environment({"RANK": "3", "WORLD_SIZE": "4", "LOCAL_RANK": "1"}) == Team(3, 4, 1)
