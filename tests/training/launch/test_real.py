"""A real Ludwig training by the real worker: interrupted after an epoch, resumed, exported, and used."""

import json

import pytest

from handler.predictor import load_predictors
from tests.training.launch.conftest import CONFIG, Launch

pytestmark = [pytest.mark.ludwig, pytest.mark.filterwarnings("ignore")]


def test_an_interrupted_training_resumes_and_becomes_a_bundle(
    launch: Launch, capsys: pytest.CaptureFixture[str]
) -> None:
    launch.machines.real = True
    starts: list[str] = []

    def at(stage: str) -> None:
        starts.extend([stage] if stage.startswith("RunInstances?") else [])
        launch.machines.notice = len(starts) == 1 and launch.machines.trained(2)

    launch.line.before = at  # type: ignore[assignment]
    config = CONFIG.replace("{epochs: 2}", "{epochs: 8, early_stop: -1, batch_size: 64}")
    (launch.folder / "config.yaml").write_text(config)
    assert launch.run() == 0
    err = capsys.readouterr().err
    assert "EC2 is reclaiming the spot instance" in err
    assert "Resuming from epoch" in err
    assert "  epoch 8/8" in err
    assert len(launch.machines.instances()) == 2
    assert launch.machines.alive() == []
    assert json.loads((launch.output / "training.json").read_text())["config"]["trainer"]["epochs"] == 8
    assert (launch.output / "evaluation" / "report.html").is_file()
    predictors = load_predictors([launch.bundle])
    assert [row["intent_predictions"] for row in predictors["intent"].predict([{"text": "good bye"}])] == ["leave"]
