"""Shadow bundles answer a sample of the requests after the response, and change nothing that a caller sees."""

import http.client
import json
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from handler import logs
from handler.__main__ import main
from handler.bundle import read_bundle
from handler.captured import CapturedMessage, decode_messages
from handler.comparison import ShadowComparison
from handler.deferred import Deferred
from handler.hexabot import Service, load_service
from handler.messages import Answer, Request
from handler.observing import Observation
from handler.routes import Routes
from handler.settings import Settings
from handler.shadow import MOST_WAITING, ShadowObserver
from handler.shadow_bundles import load_shadows
from tests.bundles import CRASH, INTENT, SLOTS, TAGGER, Head, edit_manifest, write_bundle, write_standard_bundles
from tests.handler.deployment import START_SECONDS, lambda_handler, served

OTHER = Head(name="intent", kind="category", words={"fly": "book_flight", "hotel": "book_flight", "hello": "greeting"})
"""Like INTENT, except for "hotel" and "bonjour"."""
Ask = Callable[..., Answer]


@pytest.fixture
def bundles(tmp_path: Path) -> Path:
    """Return the standard bundles with a shadow of the intent, which differs for "hotel"."""
    folder = write_standard_bundles(tmp_path / "bundles")
    write_bundle(folder / "shadow" / "intent", OTHER)
    return folder


class Shadowed:
    """A service with its shadows, whose deferred work runs when the test says so."""

    def __init__(self, folder: Path, sample: float = 1.0, shadows: tuple[str, ...] = ()) -> None:
        """Load the live bundles."""
        settings = Settings(bundles=(str(folder),), open=True, shadow_sample=sample, shadows=shadows)
        service: Service = load_service(settings)
        self.deferred = Deferred()
        self.seen: list[Sequence[ShadowComparison]] = []
        self.observer = ShadowObserver(service.predictors, settings, self.deferred, [self._note])
        self.with_shadow = Routes(service, settings, [self.observer])
        self.without = Routes(service, settings)

    def _note(self, observation: Observation, comparisons: Sequence[ShadowComparison]) -> None:
        self.seen.append(comparisons)

    def ask(self, fields: Mapping[str, Any], path: str = "/predict", routes: Routes | None = None) -> Answer:
        """Send a request, and return the response without its measured times."""
        body = json.dumps(fields).encode()
        request = Request("id-1", "POST", path, [], {"content-type": "application/json"}, body)
        answer = (routes or self.with_shadow).answer(request)
        answer.headers.pop("server-timing", None)
        return answer

    def work(self) -> list[ShadowComparison]:
        """Run the deferred work, and return all comparisons."""
        self.deferred.answered()
        self.deferred.run_after_invocation()
        return [each for comparisons in self.seen for each in comparisons]


def shadow_lines(out: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in out.splitlines() if line.startswith("{")]
    return [line for line in lines if line["message"].startswith("shadow")]


def test_a_shadow_that_answers_otherwise_is_compared_after_the_response(
    bundles: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    logs.configure("WARNING")
    shadowed = Shadowed(bundles)
    for text in ("fly", "hotel", "hotel to Paris"):
        assert shadowed.ask({"text": text}).status == 200
    assert shadowed.seen == []  # nothing ran before the responses
    found = shadowed.work()
    assert [(each.agrees, each.live_label, each.shadow_label) for each in found] == [
        (True, "book_flight", "book_flight"),
        (False, "book_hotel", "book_flight"),
        (False, "book_hotel", "book_flight"),
    ]
    seals = read_bundle(bundles / "intent").seal, read_bundle(bundles / "shadow" / "intent").seal
    assert {(each.model, each.output, each.live, each.shadow) for each in found} == {("intent", "intent", *seals)}
    assert {each.kind for each in found} == {"category"}
    assert all(0.9 < each.live_confidence <= 1 for each in found)
    first, second, _ = shadow_lines(capsys.readouterr().out)
    assert (first["agreements"], first["disagreements"], first["rows"]) == (1, 0, 1)
    assert (second["agreements"], second["disagreements"], second["request_id"]) == (0, 1, "id-1")
    assert (second["model"], second["live"], second["shadow"]) == ("intent", seals[0][:12], seals[1][:12])
    assert second["answers"] == [
        {"output": "intent", "live": "book_hotel", "shadow": "book_flight", "agrees": False, "count": 1}
    ]


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/predict", {"text": "hotel in Paris"}),
        ("/understand", {"text": "hotel in Paris"}),
        ("/parse", {"q": "hotel in Paris"}),
        ("/batch_predict", {"dataset": {"columns": ["text"], "data": [["hotel"], ["fly"]]}}),
        ("/predict", {}),
        ("/nothing", {}),
    ],
)
def test_the_response_is_the_same_with_and_without_a_shadow(bundles: Path, path: str, fields: dict[str, Any]) -> None:
    shadowed = Shadowed(bundles)
    expected = shadowed.ask(fields, path, shadowed.without)
    for _ in range(2):  # before and after the shadow is loaded
        assert shadowed.ask(fields, path) == expected
        shadowed.work()


def test_every_row_of_a_batch_is_compared(bundles: Path, capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("INFO")
    shadowed = Shadowed(bundles)
    shadowed.ask({"dataset": {"columns": ["text"], "data": [["hotel"], ["fly"], ["hotel"]]}}, "/batch_predict")
    assert [(each.row, each.agrees) for each in shadowed.work()] == [(0, False), (1, True), (2, False)]
    (line,) = shadow_lines(capsys.readouterr().out)
    assert (line["rows"], line["agreements"], line["disagreements"]) == (3, 1, 2)
    assert [each["count"] for each in line["answers"]] == [2, 1]


def test_a_withheld_label_is_no_answer(bundles: Path) -> None:
    """Two bundles agree if both withhold their labels, and disagree if one of them does."""
    for folder in (bundles / "intent", bundles / "shadow" / "intent"):
        edit_manifest(folder, outputs=[{**_output(folder), "thresholds": {"default": 1.0}}])
    found = _found(bundles, "hotel")
    assert (found.agrees, found.live_unsure, found.shadow_unsure) == (True, True, True)
    assert (found.live_answer, found.shadow_answer) == (None, None)
    edit_manifest(bundles / "intent", outputs=[{**_output(bundles / "intent"), "thresholds": None}])
    found = _found(bundles, "fly")
    assert (found.agrees, found.live_answer, found.shadow_answer) == (False, "book_flight", None)
    assert found.live_label == found.shadow_label == "book_flight"


def _found(bundles: Path, text: str) -> ShadowComparison:
    shadowed = Shadowed(bundles)
    shadowed.ask({"text": text})
    (found,) = shadowed.work()
    return found


def _output(folder: Path) -> dict[str, Any]:
    output: dict[str, Any] = json.loads((folder / "manifest.json").read_text())["outputs"][0]
    return output


def test_slots_are_compared_by_their_spans(bundles: Path, capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("INFO")
    blind = Head(name="slots", kind="sequence", words={word: tag for word, tag in SLOTS.items() if word != "tomorrow"})
    write_bundle(bundles / "shadow" / "slots", blind)
    shadowed = Shadowed(bundles)
    for text in ("hello Paris, now", "hello Paris tomorrow", "hello"):
        shadowed.ask({"text": text, "model": "slots"})
    found = shadowed.work()
    assert [(each.agrees, each.live_label, each.shadow_label) for each in found] == [
        (True, "", ""),  # the tiny tokenizer does not know "Paris,"
        (False, "city, date", "city"),
        (True, "", ""),
    ]
    assert found[2].live_confidence == 1.0
    assert {each.kind for each in found} == {"slots"}
    assert "Paris" not in capsys.readouterr().out


def test_a_shadow_that_fails_is_logged_and_hurts_nothing(
    bundles: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    logs.configure("WARNING")
    write_bundle(tmp_path / "breaking" / "slots", TAGGER, breaking=True)
    shadowed = Shadowed(bundles, shadows=(str(tmp_path / "breaking"),))
    for text in (f"secret {CRASH}", "fly"):
        expected = shadowed.ask({"text": text}, routes=shadowed.without)
        assert shadowed.ask({"text": text}) == expected
    assert [each.model for each in shadowed.work()] == ["intent", "intent", "slots"]
    out = capsys.readouterr().out
    failure = shadow_lines(out)[1]
    assert (failure["message"], failure["level"], failure["model"]) == ("shadow failed", "ERROR", "slots")
    assert (failure["request_id"], "secret" in out) == ("id-1", False)


def test_a_subscriber_that_fails_stops_no_other(bundles: Path, caplog: pytest.LogCaptureFixture) -> None:
    shadowed = Shadowed(bundles)

    def broken(observation: Observation, comparisons: Sequence[ShadowComparison]) -> None:
        raise ValueError(observation.outcome.rows[0]["text"])

    shadowed.observer.subscribers.insert(0, broken)
    shadowed.ask({"text": "secret hotel"})
    assert len(shadowed.work()) == 1
    assert "subscriber of shadows failed" in caplog.text
    assert "secret" not in caplog.text


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ("altered", "vocabulary.json was altered"),
        ("other name", "is named 'mood', and no live bundle has this name (found intent, language, slots)"),
        ("other columns", "reads the columns ['utterance'], but the live bundle 'intent' reads ['text']"),
        ("other outputs", "lacks outputs of the live bundle 'intent': intent (category)"),
        ("second", "is a second shadow of 'intent'"),
        ("nowhere", "No bundle in /nowhere"),
    ],
)
def test_a_shadow_that_cannot_be_used_is_named_and_the_service_answers(
    bundles: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], change: str, problem: str
) -> None:
    logs.configure("WARNING")
    place = tmp_path / "next" / "bundle"
    if change == "altered":
        (write_bundle(place, INTENT) / "vocabulary.json").write_text("[]")
    elif change == "other name":
        write_bundle(place, INTENT, name="mood")
    elif change == "other columns":
        write_bundle(place, INTENT, column="utterance")
    elif change == "other outputs":
        write_bundle(place, Head(name="mood", kind="category", words={"fly": "good"}), name="intent")
    elif change == "second":
        write_bundle(place, INTENT)
    shadows = "/nowhere" if change == "nowhere" else str(place.parent)
    if change != "second":
        (bundles / "shadow" / "intent").rename(tmp_path / "unused")
    shadowed = Shadowed(bundles, shadows=(shadows,))
    assert shadowed.ask({"text": "fly"}).status == 200
    assert len(shadowed.work()) == (1 if change == "second" else 0)
    (line,) = (line for line in shadow_lines(capsys.readouterr().out) if line["message"] == "shadow not loaded")
    assert problem in line["reason"]


def test_shadows_are_loaded_once_and_only_if_a_request_needs_them(
    bundles: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loads: list[Any] = []
    monkeypatch.setattr(
        "handler.shadow_bundles.load_shadows", lambda *given: loads.append(1) or load_shadows(*given)
    )  # fmt: skip
    shadowed = Shadowed(bundles)
    shadowed.ask({})
    shadowed.work()
    assert loads == []
    for _ in range(2):
        shadowed.ask({"text": "fly"})
        shadowed.work()
    assert loads == [1]


def test_only_a_sample_is_compared(bundles: Path) -> None:
    shadowed = Shadowed(bundles, sample=0.25)
    for _ in range(40):
        for _ in range(10):
            shadowed.ask({"text": "fly"})
        shadowed.work()
    assert 40 < len(shadowed.seen) < 180  # 400 requests: 100 expected, and 7 standard deviations


def test_requests_beyond_the_waiting_ones_are_not_compared(bundles: Path) -> None:
    shadowed = Shadowed(bundles)
    for _ in range(MOST_WAITING + 5):
        shadowed.ask({"text": "fly"})
    assert len(shadowed.work()) == MOST_WAITING
    shadowed.ask({"text": "fly"})
    assert len(shadowed.work()) == MOST_WAITING + 1


def test_a_full_queue_of_deferred_work_blocks_no_later_comparison(bundles: Path) -> None:
    shadowed = Shadowed(bundles)
    for _ in range(1000):
        shadowed.deferred.later(lambda: None)
    for _ in range(MOST_WAITING + 5):
        shadowed.ask({"text": "fly"})
    assert shadowed.work() == []
    shadowed.ask({"text": "fly"})
    assert len(shadowed.work()) == 1


def test_without_shadows_nothing_is_observed(bundles: Path, tmp_path: Path) -> None:
    from handler.observers import shadow_locations

    live, shadow = (str(bundles), "s3://a/b"), str(bundles / "shadow")
    assert shadow_locations(Settings(bundles=live, open=True)) == [shadow]
    assert shadow_locations(Settings(bundles=live, open=True, shadows=("hf://a/b",))) == [shadow, "hf://a/b"]
    assert shadow_locations(Settings(bundles=live, open=True, shadow_sample=0.0, shadows=("x",))) == []
    plain = write_standard_bundles(tmp_path / "plain")
    (plain / "shadow").mkdir()
    assert shadow_locations(Settings(bundles=(str(plain),), open=True)) == []
    assert shadow_locations(Settings(bundles=(str(bundles / "intent"),), open=True)) == []


def test_over_http_the_responses_are_the_same_and_the_log_has_the_comparisons(
    bundles: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plain = write_standard_bundles(tmp_path / "plain")
    log = tmp_path / "log"
    texts = ["hotel in Paris", "fly tomorrow", "hello"]
    with served([plain], "--open") as port:
        expected = [_post(port, text) for text in texts]
    captured = str(tmp_path / "captured")
    environ = {"NLU_SHADOW_SAMPLE": "1", "NLU_CAPTURE": captured, "NLU_CAPTURE_SAMPLE": "0"}
    with log.open("wb") as out, served([bundles], "--open", stdout=out, **environ) as port:
        assert [_post(port, text) for text in texts] == expected
        _wait_until(lambda: len(shadow_lines(log.read_text())) == len(texts))
        metrics = _wait_until(lambda: _shadow_metrics(port, len(texts)))
    labels = 'model="intent",output="intent"'
    assert sorted(metrics) == [
        f'nlu_shadow_answers_total{{agrees="false",live="book_hotel",{labels},shadow="book_flight"}} 1.0',
        f'nlu_shadow_answers_total{{agrees="true",live="book_flight",{labels},shadow="book_flight"}} 1.0',
        f'nlu_shadow_answers_total{{agrees="true",live="greeting",{labels},shadow="greeting"}} 1.0',
    ]
    assert [line["disagreements"] for line in shadow_lines(log.read_text())] == [1, 0, 0]
    assert main(["promote", str(bundles), "intent", "--dry-run", "--log", str(log)]) == 0
    pair = "       1  intent: book_hotel -> book_flight\n"
    assert f"2 of 3 answers agree (66.7 %).\n{pair}" in capsys.readouterr().out
    (file,) = Path(captured).rglob("*.jsonl")
    (message,) = decode_messages(file.read_bytes())
    assert isinstance(message, CapturedMessage)
    assert (message.text, message.reason) == ("hotel in Paris", "shadow")
    assert list(message.models) == ["intent", "language", "intent (shadow)"]
    assert main(["promote", str(bundles), "intent", "--dry-run", "--captured", captured]) == 0
    assert (
        f"1 captured messages with different labels; `ludwig-serverless review {captured}`" in capsys.readouterr().out
    )
    (bundles / "shadow" / "intent").rename(tmp_path / "away")
    write_bundle(bundles / "shadow" / "intent", INTENT, length=5)
    assert main(["promote", str(bundles), "intent", "--dry-run", "--captured", captured]) == 0
    assert f"{captured} has no message about which this shadow disagrees." in capsys.readouterr().out


def _post(port: int, text: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=START_SECONDS)
    connection.request("POST", "/predict", json.dumps({"text": text}), {"content-type": "application/json"})
    response = connection.getresponse()
    answer = response.status, response.read()
    connection.close()
    return answer


def _shadow_metrics(port: int, count: int) -> list[str]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=START_SECONDS) as response:
        lines = [line for line in response.read().decode().splitlines() if line.startswith("nlu_shadow_answers_total")]
    return lines if len(lines) == count else []


def _wait_until[Found](find: Callable[[], Found]) -> Found:
    """Return what is found once it is not empty."""
    give_up = time.monotonic() + START_SECONDS
    while not (found := find()):
        assert time.monotonic() < give_up
        time.sleep(0.05)
    return found


def test_lambda_lists_its_shadows_before_a_deployment(bundles: Path, tmp_path: Path) -> None:
    write_bundle(bundles / "shadow" / "mood", INTENT, name="mood")
    handler = lambda_handler(bundles)
    answer = handler({"check": "shadows"}, None)
    assert answer["models"] == {"intent": read_bundle(bundles / "shadow" / "intent").seal}
    assert [problem.split(" is named")[1] for problem in answer["problems"]] == [
        " 'mood', and no live bundle has this name (found intent, language, slots): export it again with the --name of "
        "a live bundle."
    ]
    assert list(handler({"check": "golden"}, None)["models"]) == ["intent", "language", "slots"]
    plain = write_standard_bundles(tmp_path / "plain")
    assert lambda_handler(plain)({"check": "shadows"}, None) == {"models": {}, "problems": []}


def test_check_replays_the_golden_rows_of_shadows(bundles: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shadow = bundles / "shadow" / "intent"
    row = {"row": "row 7", "own": True, "values": {"text": "hotel"}, "labels": {"intent_predictions": "book_flight"}}
    edit_manifest(shadow, golden=[row])
    assert main(["check", str(bundles)]) == 0
    expected = f"shadows intent@{read_bundle(shadow).seal[:12]}: all 1 rows have the same answers as at export.\n"
    assert expected in capsys.readouterr().out
    edit_manifest(shadow, golden=[{**row, "labels": {"intent_predictions": "greeting"}}])
    assert main(["check", str(bundles)]) == 1
    out, err = capsys.readouterr()
    assert "intent: row 7: intent_predictions was 'greeting' and is now 'book_flight'" in out
    assert "1 labels changed in 1 rows" in err
    (shadow / "vocabulary.json").write_text("[]")
    assert main(["check", str(bundles)]) == 1
    assert "vocabulary.json was altered" in capsys.readouterr().err
