"""A server before moto's S3 whose first answers can be errors, before or after the object is stored."""

import http.client
import http.server
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager


class S3Front:
    """A server before S3 that forwards requests, or answers as it is told to.

    Attributes:
        answers: For each of the next requests, whether to forward it, and the status to answer.
        seen: The path and the headers of each request.
    """

    def __init__(self, behind: str) -> None:
        self.answers: list[tuple[bool, int]] = []
        self.seen: list[tuple[str, Mapping[str, str]]] = []
        front = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_PUT(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                front.seen.append((self.path, dict(self.headers)))
                forwards, status = front.answers.pop(0) if front.answers else (True, 200)
                if forwards:
                    connection = http.client.HTTPConnection(behind.removeprefix("http://"))
                    connection.request("PUT", self.path, body, dict(self.headers))
                    assert connection.getresponse().status == 200
                    connection.close()
                self.send_response(status)
                answer = b"<Error><Code>SlowDown</Code></Error>" if status >= 500 else b""
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_port}"


@contextmanager
def running_front(behind: str) -> Iterator[S3Front]:
    """Run such a server before an address such as http://127.0.0.1:5000."""
    front = S3Front(behind)
    thread = threading.Thread(target=front.server.serve_forever)
    thread.start()
    try:
        yield front
    finally:
        front.server.shutdown()
        front.server.server_close()
        thread.join()
