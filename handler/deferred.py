"""Work that runs after the response was sent, in one thread: uploads, and models that nobody waits for.

On Lambda, an instance is frozen once the response is sent. There the thread is also an internal extension, which tells
Lambda to wait until the work is done; see `handler/extension.py`. Only services with such work load this module.
"""

import queue
import threading
import time
from collections.abc import Callable, Mapping

from handler.logs import log_failure, log_refusal

CAPACITY = 1000
"""The most tasks that may wait. With more, the newest are dropped: the service must not run out of memory."""
HEAD_START = 0.002
"""Seconds between the end of `lambda_handler` and the work, in which the runtime sends the response."""
Task = Callable[[], None]


class Deferred:
    """A queue of tasks, and the thread that runs them in order.

    Attributes:
        dropped: The number of tasks that did not fit into the queue.
    """

    def __init__(self, capacity: int = CAPACITY) -> None:
        """Create the queue. `start` starts the thread.

        Args:
            capacity: The most tasks that may wait.
        """
        self.dropped = 0
        self._tasks: queue.Queue[Task | None] = queue.Queue(capacity)
        self._answered = threading.Semaphore(0)
        self._thread: threading.Thread | None = None
        self._last: list[Task] = []

    def later(self, task: Task) -> bool:
        """Run a task after the response was sent. If too many tasks wait, it is dropped.

        Args:
            task: What to do. An exception is logged and does not stop the other tasks.

        Returns:
            Whether the task will run; False if it was dropped.
        """
        try:
            self._tasks.put_nowait(task)
        except queue.Full:
            if self.dropped == 0:
                log_refusal("deferred work dropped", waiting=self._tasks.maxsize)
            self.dropped += 1
            return False
        return True

    def at_stop(self, task: Task) -> None:
        """Run a task when `stop` is called, after all others. Lambda never stops an instance, so it does not run there.

        Args:
            task: What to do.
        """
        self._last.append(task)

    def start(self) -> None:
        """Start a thread that runs tasks as they come, as a server needs it. `stop` ends it."""
        self._thread = threading.Thread(target=self._run_all, name="deferred", daemon=True)
        self._thread.start()

    def stop(self, seconds: float = 5.0) -> None:
        """Finish the tasks that wait, and end the thread.

        Args:
            seconds: How long to wait for them.
        """
        if self._thread is not None:
            for task in [*self._last, None]:
                self._tasks.put(task)
            self._thread.join(seconds)

    def answered(self) -> None:
        """Say that an invocation on Lambda is answered, so its work may start. Call it once for each invocation."""
        self._answered.release()

    def run_after_invocation(self) -> None:
        """Wait until an invocation is answered, and run the tasks that wait then, in the calling thread."""
        self._answered.acquire()
        time.sleep(HEAD_START)
        for _ in range(self._tasks.qsize()):
            task = self._tasks.get_nowait()
            if task is not None:
                _run(task)

    def _run_all(self) -> None:
        while (task := self._tasks.get()) is not None:
            _run(task)


def started(environ: Mapping[str, str]) -> Deferred:
    """Return a queue whose tasks run: after each invocation on Lambda, and as they come elsewhere.

    Args:
        environ: The environment variables. On Lambda, AWS_LAMBDA_RUNTIME_API is one of them.

    Returns:
        The queue.
    """
    deferred = Deferred()
    address = environ.get("AWS_LAMBDA_RUNTIME_API")
    if address:
        from handler.extension import register

        register(address, deferred)
    else:
        deferred.start()
    return deferred


def _run(task: Task) -> None:
    try:
        task()
    except Exception as error:
        log_failure("deferred work failed", error)
