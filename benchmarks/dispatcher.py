"""Run messages through real environments, as Lambda does: emulators behind a dispatcher with a concurrency limit."""

import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.report import ROOT
from benchmarks.sandbox import DIGEST, TOKEN
from ludwig_serverless.simulation.buckets import Times
from ludwig_serverless.simulation.fleet import COLD, CONCURRENCY, WARM
from scripts.ask_emulator import TEXTS, hexabot_event, invoke, running_lambda

HANDLER = "benchmarks.paused_handler.lambda_handler"
PAUSE = "x-pause-milliseconds"
"""The header that this handler reads. It is not imported, because it loads its models on import."""


@dataclass
class Environment:
    """An execution environment: one emulator with the handler.

    Attributes:
        lifetime: Its context; leaving it ends the processes.
        url: The URL that invokes the handler; "" until it has started.
        free_since: When its last answer ended, in seconds of the dispatcher.
    """

    lifetime: AbstractContextManager[str]
    url: str = ""
    free_since: float = 0.0


@dataclass
class Message:
    """A message and what happened to it.

    Attributes:
        at: When the dispatcher received it, in seconds since the start.
        kind: WARM, COLD or CONCURRENCY.
        ended: When it was answered.
    """

    at: float
    kind: int
    ended: float = 0.0


@dataclass
class Dispatcher:
    """Give each message to an environment, or refuse it.

    The decision and its time are taken under one lock, and so is the end of an answer. So the recorded times have the
    order in which things happened, and a simulation of these times must come to the same decisions.

    Attributes:
        emulator: Path of AWS's emulator.
        bundles: Folder of the models.
        limit: How many messages may be in progress.
        idle_seconds: How long an environment is kept idle.
        messages: All messages so far.
        failures: What went wrong.
    """

    emulator: Path
    bundles: Path
    limit: int
    idle_seconds: float
    messages: list[Message] = field(default_factory=list)
    failures: list[BaseException] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _idle: list[Environment] = field(default_factory=list)
    _busy: int = 0
    _started: float = 0.0

    def replay(self, times: Times, pauses: Times) -> list[Message]:
        """Send messages at the given times, each from its own thread, and wait for all answers.

        Args:
            times: When to send them, in seconds from now.
            pauses: How long the handler waits before it answers each, in seconds.

        Returns:
            The messages in order. A sender that is late has the time at which it was sent.

        Raises:
            RuntimeError: An environment failed.
        """
        self._started = time.perf_counter()
        # As many threads as messages in progress, and some that end environments.
        with ThreadPoolExecutor(3 * self.limit) as pool:
            for index, (at, pause) in enumerate(zip(times.tolist(), pauses.tolist(), strict=True)):
                time.sleep(max(0.0, at - self._now()))
                self._send(pool, TEXTS[index % len(TEXTS)], pause)
        with ExitStack() as stack:
            for environment in self._idle:
                stack.push(environment.lifetime)
        self._idle.clear()
        if self.failures:
            raise RuntimeError(f"{len(self.failures)} messages failed: {self.failures[0]}") from self.failures[0]
        return self.messages

    def _now(self) -> float:
        return time.perf_counter() - self._started

    def _send(self, pool: ThreadPoolExecutor, text: str, pause: float) -> None:
        """Decide what happens to a message, and let a thread of the pool carry it out."""
        with self._lock:
            now = self._now()
            if self._busy >= self.limit:
                self.messages.append(Message(now, CONCURRENCY))
                return
            while self._idle and self._idle[-1].free_since + self.idle_seconds <= now:
                pool.submit(self._idle.pop().lifetime.__exit__, None, None, None)
            warm = bool(self._idle)
            environment = self._idle.pop() if warm else self._new()
            message = Message(now, WARM if warm else COLD)
            self.messages.append(message)
            self._busy += 1
        pool.submit(self._answer, message, environment, text, pause)

    def _new(self) -> Environment:
        environ = {"NLU_BUNDLES": str(self.bundles), "NLU_TOKEN_DIGESTS": DIGEST}
        return Environment(running_lambda(self.emulator, environ, HANDLER))

    def _answer(self, message: Message, environment: Environment, text: str, pause: float) -> None:
        try:
            if not environment.url:
                environment.url = environment.lifetime.__enter__()
            answer = invoke(environment.url, paused_event(text, pause))
            if answer.get("statusCode") != 200:
                raise RuntimeError(f"the handler answered {answer}")
        except BaseException as error:
            self.failures.append(error)
        with self._lock:
            message.ended = environment.free_since = self._now()
            self._busy -= 1
            self._idle.append(environment)


def emulator_path() -> Path:
    """Return the path of AWS's emulator, which is installed if it is missing."""
    command = [sys.executable, "scripts/environment.py", "emulator"]
    return Path(subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout.strip())


def paused_event(text: str, pause: float) -> dict[str, Any]:
    """Return Hexabot's request with a pause in seconds."""
    event = hexabot_event(text, TOKEN)
    event["headers"][PAUSE] = f"{pause * 1000:.3f}"
    return event


def durations(messages: Sequence[Message]) -> Times:
    """Return the duration of each answer in seconds; 0 for refused messages."""
    return np.array([max(message.ended - message.at, 0.0) for message in messages])
