"""Users of a large model are told how to make its bundle smaller."""

import shlex
from pathlib import Path

from export.model import WEIGHTS
from ludwig_serverless.cli import main
from training.next_step import LARGE_BYTES, int8_advice
from training.workspace import MODEL


def test_only_a_large_model_gets_advice_and_its_command_is_one_that_export_knows(tmp_path: Path) -> None:
    run, bundle, data = tmp_path / "intent", tmp_path / "bundle", tmp_path / "data.csv"
    assert int8_advice(run, bundle, data) is None
    weights = run / MODEL / WEIGHTS
    weights.parent.mkdir(parents=True)
    weights.write_bytes(b"")
    assert int8_advice(run, bundle, data) is None
    with weights.open("wb") as file:
        file.truncate(LARGE_BYTES)
    advice = int8_advice(run, bundle, data)
    assert advice is not None
    assert "A bundle of intent has 40 MB" in advice
    command = shlex.split(advice.partition("ludwig-serverless ")[2])
    assert command[:3] == ["export", str(run), str(bundle)]
    assert main(command) == 1, "the options are valid, so the error is that the run is not a model"
