"""Watch a job on its instance: its log and its cost on the terminal, a heartbeat for the instance."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from export.console import say
from training.errors import LaunchError, UnreachedError
from training.launch.folder import Folder
from training.launch.instances import GONE, SPOT_ENDINGS, UNTIL, Instance, Instances
from training.launch.job import FAILED, FINAL, HEARTBEAT, INTERRUPTED, LOG, STARTING, Job, Status

SHY_SECONDS = 120
"""EC2 may not show an instance so long after its start."""
SILENT_MINUTES = 40
"""An instance that has not said anything by then has not found its image, or cannot reach S3."""
QUIET_SECONDS = 60
"""After so long without a line, one is said."""


@dataclass(frozen=True)
class Watched:
    """An instance to watch. hour: dollars at most. before: dollars spent by others. log_start: bytes seen before."""

    id: str
    began: datetime
    until: datetime
    hour: float
    before: float = 0.0
    log_start: int = 0

    @classmethod
    def of(cls, instance: Instance) -> "Watched":
        """Return what the tags say of an instance that was started before."""
        until = datetime.strptime(instance.tags[UNTIL], "%Y-%m-%dT%H:%M:%S%z")
        return cls(instance.id, instance.launched, until, instance.hour)

    def cost(self) -> str:
        """Return how long it has run, and what that has cost at most."""
        lived = datetime.now(UTC) - self.began
        dollars = self.before + self.hour * lived.total_seconds() / 3600
        return f"[{timedelta(seconds=int(lived.total_seconds()))} ${dollars:.2f}]"


class Watcher:
    """Looks at one instance again and again."""

    def __init__(self, watched: Watched, job: Job, instances: Instances, folder: Folder) -> None:
        self._watched, self._job, self._instances, self._folder = watched, job, instances, folder
        self._log_bytes, self._line = watched.log_start, b""
        self._state, self._said = "", time.monotonic()
        self._lost: float | None = None

    def watch(self) -> Status:
        """Return the job's last word.

        Raises LaunchError if the caps are reached, the instance says nothing, or AWS is not reached for too long.
        """
        while True:
            try:
                status = self._look()
                self._lost = None
            except UnreachedError as error:
                status = None
                self._bear(error)
            if status is not None:
                return status
            if datetime.now(UTC) > self._watched.until:
                raise LaunchError("The caps in hours and in money are reached. What is trained so far is kept.")
            time.sleep(self._job.poll_seconds)

    def _look(self) -> Status | None:
        """Look once. Returns the last word, if it is spoken."""
        self._folder.put(HEARTBEAT, str(time.time_ns()).encode())
        status = self._folder.status() or Status(STARTING)
        self._show_log()
        if status.state != self._state:
            self._state = status.state
            if status.state == STARTING:
                self._say("the instance boots and pulls its image; this takes some minutes")
            elif status.state not in FINAL:
                self._say(status.state)
        if status.state in FINAL:
            return status
        if time.monotonic() - self._said > QUIET_SECONDS:
            self._say(f"still {status.state}")
        lived = (datetime.now(UTC) - self._watched.began).total_seconds()
        if status.state == STARTING and lived > SILENT_MINUTES * 60:
            raise LaunchError(f"{self._watched.id} has said nothing in {SILENT_MINUTES} minutes.{self._console()}")
        return self._without_word(self._instances.see(self._watched.id), lived)

    def _without_word(self, instance: Instance | None, lived: float) -> Status | None:
        """Return what is to be said of an instance that is gone, if it is."""
        if (instance is None and lived < SHY_SECONDS) or (instance is not None and instance.state not in GONE):
            return None
        status = self._folder.status()
        if status is not None and status.state in FINAL:
            self._show_log()
            return status
        reason = instance.reason if instance else "EC2 no longer knows it"
        if reason in SPOT_ENDINGS:
            return Status(INTERRUPTED, "EC2 took the spot instance back; the last checkpoint that was sent is kept.")
        return Status(FAILED, f"{self._watched.id} ended without a last word ({reason}).{self._console()}")

    def _console(self) -> str:
        text = self._instances.console(self._watched.id).strip()
        return f" The end of its console:\n{text}\n" if text else ""

    def _bear(self, error: UnreachedError) -> None:
        """Put up with a lost connection for a while. Raises LaunchError after it."""
        now = time.monotonic()
        if self._lost is None:
            self._lost = now
            self._say(f"{error} Trying again; the training goes on, and ends itself if this lasts.")
        if now - self._lost > self._job.lost_minutes * 60:
            raise LaunchError(f"AWS was not reached for {self._job.lost_minutes:g} minutes. {error}")

    def _show_log(self) -> None:
        """Say the log's new lines."""
        new = self._folder.get(LOG, self._log_bytes) or b""
        self._log_bytes += len(new)
        *lines, self._line = (self._line + new).split(b"\n")
        for line in lines:
            self._say(line.decode(errors="replace").rpartition("\r")[2])

    def _say(self, line: str) -> None:
        self._said = time.monotonic()
        say(f"{self._watched.cost()} {line}")
