"""Concurrent requests on a real socket."""

import http.client
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn

from handler.api import create_app
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
