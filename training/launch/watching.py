"""Watch a job on its instance: print its log and cost, and write a heartbeat for the worker."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from export.console import say
from training.errors import LaunchError, UnreachedError
from training.launch.folder import Folder
from training.launch.instances import GONE, SPOT_ENDINGS, UNTIL, Instance, Instances
from training.launch.job import FAILED, FINAL, HEARTBEAT, INTERRUPTED, LOG, STARTING, Job, Status

LISTING_SECONDS = 120
"""EC2 may not list an instance for this long after its start."""
SILENT_MINUTES = 40
"""An instance that has written nothing by then cannot pull its image or reach S3."""
QUIET_SECONDS = 60
"""Print a line after this long without one."""


@dataclass(frozen=True)
class Watched:
    """An instance to watch.

    Attributes:
        id: The instance id.
        began: When the instance started, in UTC.
        until: When AWS terminates it, in UTC.
        hour: The maximum price, in dollars per hour.
        before: The maximum cost of the job's earlier instances, in dollars.
        log_start: The bytes of the log that are already printed.
    """

    id: str
    began: datetime
    until: datetime
    hour: float
    before: float = 0.0
    log_start: int = 0

    @classmethod
    def of(cls, instance: Instance) -> "Watched":
        """Return a running instance, from its tags."""
        until = datetime.strptime(instance.tags[UNTIL], "%Y-%m-%dT%H:%M:%S%z")
        return cls(instance.id, instance.launched, until, instance.hour)

    def cost(self) -> str:
        """Return the elapsed time and the maximum cost so far."""
        lived = datetime.now(UTC) - self.began
        dollars = self.before + self.hour * lived.total_seconds() / 3600
        return f"[{timedelta(seconds=int(lived.total_seconds()))} ${dollars:.2f}]"


class Watcher:
    """Watches one instance until its job ends."""

    def __init__(self, watched: Watched, job: Job, instances: Instances, folder: Folder) -> None:
        self._watched, self._job, self._instances, self._folder = watched, job, instances, folder
        self._log_bytes, self._line = watched.log_start, b""
        self._state, self._said = "", time.monotonic()
        self._lost: float | None = None

    def watch(self) -> Status:
        """Watch until the job ends, and return its final status.

        Raises:
            LaunchError: The limits are reached, the instance writes nothing, or AWS is unreachable for longer than
                the job's `lost_minutes`.
        """
        while True:
            try:
                status = self._look()
                self._lost = None
            except UnreachedError as error:
                status = None
                self._tolerate(error)
            if status is not None:
                return status
            if datetime.now(UTC) > self._watched.until:
                raise LaunchError("The limit in hours or dollars is reached. The last checkpoint in S3 is kept.")
            time.sleep(self._job.poll_seconds)

    def _look(self) -> Status | None:
        """Check once. Return the final status if the job has ended."""
        self._folder.put(HEARTBEAT, str(time.time_ns()).encode())
        status = self._folder.status() or Status(STARTING)
        self._show_log()
        if status.state != self._state:
            self._state = status.state
            if status.state == STARTING:
                self._say("the instance is booting and pulling its image, which takes a few minutes")
            elif status.state not in FINAL:
                self._say(status.state)
        if status.state in FINAL:
            return status
        if time.monotonic() - self._said > QUIET_SECONDS:
            self._say(f"still {status.state}")
        lived = (datetime.now(UTC) - self._watched.began).total_seconds()
        if status.state == STARTING and lived > SILENT_MINUTES * 60:
            raise LaunchError(f"{self._watched.id} has written nothing in {SILENT_MINUTES} minutes.{self._console()}")
        return self._ended_status(self._instances.see(self._watched.id), lived)

    def _ended_status(self, instance: Instance | None, lived: float) -> Status | None:
        """Return the status of a job whose instance is gone, or None while it is running."""
        if (instance is None and lived < LISTING_SECONDS) or (instance is not None and instance.state not in GONE):
            return None
        status = self._folder.status()
        if status is not None and status.state in FINAL:
            self._show_log()
            return status
        reason = instance.reason if instance else "EC2 no longer knows it"
        if reason in SPOT_ENDINGS:
            return Status(INTERRUPTED, "EC2 reclaimed the spot instance. The last checkpoint in S3 is kept.")
        return Status(FAILED, f"{self._watched.id} ended without a final status ({reason}).{self._console()}")

    def _console(self) -> str:
        text = self._instances.console(self._watched.id).strip()
        return f" The end of its console output:\n{text}\n" if text else ""

    def _tolerate(self, error: UnreachedError) -> None:
        """Tolerate a lost connection for `lost_minutes`, then raise LaunchError."""
        now = time.monotonic()
        if self._lost is None:
            self._lost = now
            self._say(f"{error} Retrying. The training continues, and the instance terminates by itself if this lasts.")
        if now - self._lost > self._job.lost_minutes * 60:
            raise LaunchError(f"AWS was unreachable for {self._job.lost_minutes:g} minutes. {error}")

    def _show_log(self) -> None:
        """Print the new lines of the log."""
        new = self._folder.get(LOG, self._log_bytes) or b""
        self._log_bytes += len(new)
        *lines, self._line = (self._line + new).split(b"\n")
        for line in lines:
            self._say(line.decode(errors="replace").rpartition("\r")[2])

    def _say(self, line: str) -> None:
        self._said = time.monotonic()
        say(f"{self._watched.cost()} {line}")
