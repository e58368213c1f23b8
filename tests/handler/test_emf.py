"""Metrics in CloudWatch's Embedded Metric Format, in the log of the real function."""

import json
from pathlib import Path
from typing import Any

import pytest

from handler.auth import new_token
from handler.emf import MOST_VALUES
from tests.bundles import CRASH, INTENT, LANGUAGE, TAGGER, edit_manifest, give_expected, write_bundle
from tests.handler.deployment import deploy, environment, predict, run_python
from tests.hexabot_client import multipart

LABELS = {"book_flight": 60, "book_hotel": 30, "greeting": 30}
Points = dict[tuple[str, ...], list[float]]


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return three bundles; the intents' has thresholds and expected answers."""
    folder = tmp_path_factory.mktemp("bundles")
    for head in (LANGUAGE, TAGGER):
        write_bundle(folder / head.name, head)
    give_expected(write_bundle(folder / "intent", INTENT, breaking=True), LABELS, [0.5, 0.9], [20, 40, 60])
    outputs = json.loads((folder / "intent" / "manifest.json").read_text())["outputs"]
    edit_manifest(folder / "intent", outputs=[{**outputs[0], "thresholds": {"default": 0.8}}])
    return folder


def points(lines: list[dict[str, Any]]) -> Points:
    """Return the values that CloudWatch extracts, by namespace, metric and the values of the dimensions."""
    found: Points = {}
    for line in lines:
        for directive in line["_aws"]["CloudWatchMetrics"]:
            assert 0 < len(directive["Metrics"]) <= 100
            for metric in directive["Metrics"]:
                given = line[metric["Name"]]
                values = given if isinstance(given, list) else [given]
                assert len(values) <= MOST_VALUES
                for dimensions in directive["Dimensions"]:
                    names = [line[name] for name in dimensions]
                    assert all(isinstance(name, str) and name.isascii() and name for name in names)
                    found.setdefault((directive["Namespace"], metric["Name"], *names), []).extend(values)
    return found


def written(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return [line for line in lines if "_aws" in line]


def send(places: Path, text: str, metrics: str, **environ: str) -> Any:
    send = deploy(places, NLU_METRICS=metrics, AWS_LAMBDA_FUNCTION_VERSION="7", **environ)
    return predict(send, {"text": text}).json()


@pytest.mark.parametrize("level", ["INFO", "WARNING", "ERROR"])
def test_a_request_writes_a_line_for_each_model_at_every_log_level(
    places: Path, capsys: pytest.CaptureFixture[str], level: str
) -> None:
    send(places, "fly to Paris", "drift", NLU_LOG_LEVEL=level, NLU_METRICS_NAMESPACE="my-nlu")
    lines = written(capsys)
    assert [line["Model"] for line in lines] == ["intent", "language", "slots"]
    found = points(lines)
    times = {name: found.pop(name) for name in list(found) if name[1] == "Milliseconds"}
    assert sorted(times) == [("my-nlu", "Milliseconds", "7", model) for model in ("intent", "language", "slots")]
    assert all(0 < value < 10_000 for (value,) in times.values())
    ((intent,), (language,)) = (found.pop(("my-nlu", "Confidence", "7", model)) for model in ("intent", "language"))
    assert 0.9 < intent <= 1
    assert 0 < language <= 1
    assert found == {
        ("my-nlu", "BelowThreshold", "7", "intent"): [0],
        ("my-nlu", "Answers", "7", "intent", "book_flight"): [1],
        ("my-nlu", "Answers", "7", "intent", "0.9"): [1],
    }


def test_labels_are_counted_only_to_measure_drift(places: Path, capsys: pytest.CaptureFixture[str]) -> None:
    send(places, "fly to Paris", "on")
    assert {name[1] for name in points(written(capsys))} == {"Milliseconds", "Confidence", "BelowThreshold"}


def test_an_unsure_answer_is_below_its_threshold(places: Path, capsys: pytest.CaptureFixture[str]) -> None:
    send(places, "something else", "on")
    assert points(written(capsys))["ludwig-serverless", "BelowThreshold", "7", "intent"] == [1]


def test_a_failed_model_and_its_fallback_are_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_bundle(tmp_path / "language", LANGUAGE, breaking=True)
    write_bundle(tmp_path / "intent", INTENT, breaking=True)
    answer = send(tmp_path, f"fly {CRASH}", "on")
    assert answer["language"]["fallback"]
    found = {name[1:]: values for name, values in points(written(capsys)).items()}
    assert found["Failures", "7", "language"] == found["Fallbacks", "7", "language"] == [1]
    assert found["Failures", "7", "intent"] == [1]
    assert ("Fallbacks", "7", "intent") not in found
    assert ("Confidence", "7", "intent") not in found


def test_a_batch_counts_every_row(places: Path, capsys: pytest.CaptureFixture[str]) -> None:
    texts = ["fly", "hotel", "fly", "hello"] * 100
    body = json.dumps({"dataset": {"columns": ["text"], "data": [[text] for text in texts]}}).encode()
    send = deploy(places, NLU_METRICS="drift", AWS_LAMBDA_FUNCTION_VERSION="7")
    assert send("POST", "/batch_predict", body, headers={"content-type": "application/json"}).status == 200
    found = {name[1:]: values for name, values in points(written(capsys)).items()}
    assert len(found["Milliseconds", "7", "intent"]) == 1
    assert len(found["Confidence", "7", "intent"]) == len(found["BelowThreshold", "7", "intent"]) == 400
    counts = {name[-1]: sum(values) for name, values in found.items() if name[0] == "Answers"}
    assert counts == {"book_flight": 200, "book_hotel": 100, "greeting": 100, "0.9": 400}


def test_an_output_with_another_name_has_metrics_of_its_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_bundle(tmp_path / "both", INTENT, LANGUAGE, name="both")
    send(tmp_path, "fly", "on")
    models = {name[1:3] + name[3:]: None for name in points(written(capsys))}
    assert set(models) == {
        ("Milliseconds", "7", "both"),
        ("Confidence", "7", "both.intent"),
        ("Confidence", "7", "both.language"),
    }


def test_metrics_contain_no_text_and_no_token(places: Path, capsys: pytest.CaptureFixture[str]) -> None:
    token, digest = new_token()
    send = deploy(places, NLU_METRICS="drift", NLU_OPEN="", NLU_TOKEN_DIGESTS=digest, AWS_LAMBDA_FUNCTION_VERSION="7")
    content_type, body = multipart({"text": "fly my secret"})
    send("POST", "/predict", body, query=f"token={token}", headers={"content-type": content_type})
    output = capsys.readouterr().out
    assert output.count("_aws") == 3
    assert "secret" not in output
    assert token not in output


@pytest.mark.parametrize("path", ["/", "/nothing"])
def test_a_request_without_a_model_writes_no_metrics(
    places: Path, capsys: pytest.CaptureFixture[str], path: str
) -> None:
    deploy(places, NLU_METRICS="drift", AWS_LAMBDA_FUNCTION_VERSION="7")("GET", path)
    assert written(capsys) == []


@pytest.mark.parametrize(
    ("metrics", "loaded"),
    [("off", set()), ("on", {"handler.emf", "handler.measures", "handler.drift", "handler.observing"})],
)
def test_modules_load_only_with_metrics_and_prometheus_never(places: Path, metrics: str, loaded: set[str]) -> None:
    code = "import sys, json, handler.entrypoint; print(json.dumps(sorted(sys.modules)))"
    environ = {"NLU_METRICS": metrics, "AWS_LAMBDA_FUNCTION_VERSION": "7"}
    modules = set(json.loads(run_python("-c", code, **environment(places), **environ).stdout.splitlines()[-1]))
    watched = {"handler.emf", "handler.measures", "handler.drift", "handler.observing", "handler.prometheus"}
    assert modules & watched == loaded
    assert "prometheus_client" not in modules
