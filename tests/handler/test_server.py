"""Concurrent requests on a real socket."""

import asyncio
import http.client
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import uvicorn

from handler.api import SHORT_BYTES, create_app
from handler.hexabot import Fields, Outcome, Service
from handler.predictor import load_predictors
from handler.routes import Routes
from handler.settings import Settings
from scripts.ask_emulator import free_port
from tests.handler.deployment import START_SECONDS, wait_for_port


class SlowService(Service):
    """A service that answers only when the test releases it."""

    entered = threading.Event()
    released = threading.Event()

    def predict(self, fields: Fields) -> Outcome:
        """Wait, then answer."""
        self.entered.set()
        assert self.released.wait(START_SECONDS)
        return super().predict(fields)


@pytest.fixture
def port(bundles: Path) -> Iterator[int]:
    """Serve slowly on a free port."""
    settings = Settings(bundles=(), open=True)
    app = create_app(Routes(SlowService(load_predictors([bundles]), settings), settings))
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_config=None, ws="none"))
    thread = threading.Thread(target=server.run)
    thread.start()
    wait_for_port(port, thread.is_alive)
    yield port
    SlowService.released.set()
    server.should_exit = True
    thread.join(START_SECONDS)
    assert not thread.is_alive()


def test_only_short_requests_on_quick_paths_are_answered_in_the_event_loop(
    bundles: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[bool] = []

    class Watched(Service):
        def predict(self, fields: Fields) -> Outcome:
            threads.append(threading.current_thread() is threading.main_thread())
            return super().predict(fields)

    settings = Settings(bundles=(), open=True)
    app = create_app(Routes(Watched(load_predictors([bundles]), settings), settings))

    async def ask(text: str) -> None:
        body = msgspec.json.encode({"text": text})
        scope = {"type": "http", "method": "POST", "path": "/predict", "query_string": b""}
        scope["headers"] = [(b"content-type", b"application/json")]
        sent: list[Any] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body}

        async def send(message: Any) -> None:
            sent.append(message)

        await app(scope, receive, send)
        assert sent[0]["status"] == 200

    monkeypatch.setattr("handler.api.QUICK_SECONDS", START_SECONDS)
    asyncio.run(ask("fly"))
    asyncio.run(ask("fly"))
    asyncio.run(ask("fly " * (SHORT_BYTES // 4)))
    asyncio.run(ask("fly"))
    monkeypatch.setattr("handler.api.QUICK_SECONDS", 0)
    asyncio.run(ask("fly"))
    # The first request on a path may be slow, and so may a long one, and the one after a slow one.
    assert threads == [False, True, False, True, False]


def test_a_slow_request_does_not_block_others(port: int) -> None:
    slow = http.client.HTTPConnection("127.0.0.1", port, timeout=START_SECONDS)
    slow.request("POST", "/predict", b'{"text": "fly"}', {"content-type": "application/json"})
    assert SlowService.entered.wait(START_SECONDS)
    other = http.client.HTTPConnection("127.0.0.1", port, timeout=START_SECONDS)
    other.request("GET", "/")
    assert other.getresponse().read().startswith(b'{"message":"Ludwig server is up"')
    assert not SlowService.released.is_set()
    SlowService.released.set()
    assert slow.getresponse().status == 200
    slow.close()
    other.close()
