"""Start a server and measure its cold start, its latency and its throughput."""

import http.client
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.report import ROOT
from scripts.ask_emulator import BOUNDARY

START_SECONDS = 180
ANSWER_SECONDS = 60
Body = Callable[[str], bytes]


class NoAnswerError(Exception):
    """Raised when a server exits, or responds with an error."""


@dataclass
class Server:
    """A running HTTP server.

    Attributes:
        process: Its process.
        port: Its port on 127.0.0.1.
        path: Path of the requests.
        content_type: Content type of the requests.
        body: Returns the request body for a text.
        log: The file with its output.
        cold: Milliseconds from its start to its first answer.
    """

    process: "subprocess.Popen[bytes]"
    port: int
    path: str
    content_type: str
    body: Body
    log: Path
    cold: float = 0.0

    def ask(self, text: str, connection: http.client.HTTPConnection | None = None) -> bytes:
        """Send a text and return the response body.

        Raises:
            NoAnswerError: The response is an error.
        """
        client = connection or self.connect()
        try:
            client.request("POST", self.path, self.body(text), {"content-type": self.content_type})
            response = client.getresponse()
            content = response.read()
        finally:
            if connection is None:
                client.close()
        if response.status != 200 or b'"error"' in content or b'"errorMessage"' in content:
            raise NoAnswerError(f"status {response.status}: {content[:300].decode(errors='replace')}")
        return content

    def connect(self) -> http.client.HTTPConnection:
        """Return a connection for several requests."""
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=ANSWER_SECONDS)

    def peak_megabytes(self) -> float:
        """Return the peak resident memory of the process and its child processes, in MB."""
        return sum(_peak_kilobytes(pid) for pid in _family(self.process.pid)) * 1024 / 1e6


def form(text: str) -> bytes:
    """Return the body of Hexabot's request."""
    part = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="text"\r\n\r\n{text}\r\n--{BOUNDARY}--\r\n'
    return part.encode()


@contextmanager
def started(
    command: Sequence[str], environ: dict[str, str], port: int, text: str, path: str = "/predict", body: Body = form
) -> Iterator[Server]:
    """Start a server, and wait for its first answer.

    Args:
        command: The command line.
        environ: Its environment variables.
        port: The port that it listens on.
        text: The text of the first request.
        path: Path of the requests.
        body: Returns the request body for a text.

    Yields:
        The server, with the duration of its cold start.

    Raises:
        NoAnswerError: It does not answer. The message is the last line of its log.
    """
    content_type = f"multipart/form-data; boundary={BOUNDARY}" if body is form else "application/json"
    with tempfile.NamedTemporaryFile() as log:
        begun = time.perf_counter()
        process = subprocess.Popen(command, cwd=ROOT, env=environ, stdout=log, stderr=subprocess.STDOUT)
        server = Server(process, port, path, content_type, body, Path(log.name))
        try:
            _first_answer(server, text)
            server.cold = (time.perf_counter() - begun) * 1000
            yield server
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def latencies(servers: Sequence[Server], texts: Sequence[str], rounds: int, warm_up: int = 5) -> list[list[float]]:
    """Send requests to all servers in turn, over keep-alive connections.

    Args:
        servers: The servers.
        texts: The texts to send.
        rounds: Number of measured requests per server.
        warm_up: Number of unmeasured requests before that.

    Returns:
        The latencies of each server, in milliseconds.
    """
    connections = [server.connect() for server in servers]
    taken: list[list[float]] = [[] for _ in servers]
    for index in range(-warm_up, rounds):
        for server, connection, times in zip(servers, connections, taken, strict=True):
            begun = time.perf_counter()
            server.ask(texts[index % len(texts)], connection)
            if index >= 0:
                times.append((time.perf_counter() - begun) * 1000)
    for connection in connections:
        connection.close()
    return taken


def answers_per_second(server: Server, texts: Sequence[str], clients: int, seconds: float) -> float:
    """Send requests from several clients at once without pauses, each over its own connection.

    Args:
        server: The server.
        texts: The texts to send.
        clients: Number of clients.
        seconds: Duration.

    Returns:
        Answers per second of all clients together.

    Raises:
        NoAnswerError: A request failed.
    """
    end = time.perf_counter() + seconds
    counts, failures = [0] * clients, []

    def ask(index: int) -> None:
        connection = server.connect()
        try:
            while time.perf_counter() < end:
                server.ask(texts[counts[index] % len(texts)], connection)
                counts[index] += 1
        except (OSError, http.client.HTTPException, NoAnswerError) as error:
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=ask, args=(index,)) for index in range(clients)]
    begun = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise NoAnswerError(f"{len(failures)} of {clients} clients failed: {failures[0]}")
    return sum(counts) / (time.perf_counter() - begun)


def _first_answer(server: Server, text: str) -> None:
    end = time.perf_counter() + START_SECONDS
    while True:
        try:
            server.ask(text)
            return
        except (ConnectionError, http.client.HTTPException) as error:
            if server.process.poll() is not None or time.perf_counter() > end:
                tail = server.log.read_text(errors="replace").strip().splitlines()[-1:]
                raise NoAnswerError(f"{tail[0] if tail else error}") from None
            time.sleep(0.01)


def _family(pid: int) -> Iterator[int]:
    yield pid
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in children.read_text(encoding="ascii").split():
            yield from _family(int(child))


def _peak_kilobytes(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
