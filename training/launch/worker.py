"""The program on the instance, in the training image: `python -m training.launch.worker s3://bucket/.../jobs/ID`.

It downloads the inputs, trains, exports, and uploads the outputs. Meanwhile it uploads the log and checkpoints. It also
checks whether EC2 is about to reclaim the instance and whether the launcher still watches. When it ends, the instance
shuts down.
"""

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import IO

import msgspec

from export.console import say
from export.model import TRAINING_RECORD
from handler.bundle import BundleFile, describe_file
from training.errors import LaunchError, UnreachedError
from training.launch import job as names
from training.launch.aws import Aws
from training.launch.checkpoints import send_checkpoints
from training.launch.folder import Folder, files_in, inside
from training.launch.job import Job, OutputListing, parse_location

METADATA = "http://169.254.169.254"
METADATA_SECONDS = 2
PATIENCE_SECONDS = 45
"""How long a training may take to stop. A spot instance runs for two minutes after its notice."""
CHECKPOINT_POLLS = 6


class JobInterruptedError(Exception):
    """Raise when the job must end early. state: The final state. why: The reason, for the user."""

    def __init__(self, state: str, why: str) -> None:
        super().__init__(why)
        self.state = state


class Worker:
    """One job on this machine."""

    def __init__(self, folder: Folder, here: Path) -> None:
        self._folder, self._job = folder, folder.job()
        self._here, self._run = here, here / "runs" / self._job.name
        self._workspace = self._run.with_name(f".{self._job.name}-training")
        self._log, self._sent_bytes = here / names.LOG, -1
        self._watch = Watch(folder, self._job)
        self._polls = 0

    def work(self) -> None:
        """Run the job, and write its final status to S3."""
        try:
            state, message, code = self._work()
        except JobInterruptedError as error:
            state, message, code = error.state, str(error), None
        except LaunchError as error:
            state, message, code = names.FAILED, str(error), None
        self._send_checkpoints()
        self._send_log()
        say(f"{state}: {message}")
        with _errors_printed():
            self._retry(lambda: self._folder.put_status(state, message, code))

    def _work(self) -> tuple[str, str, int | None]:
        self._retry(lambda: self._folder.download_all(names.INPUTS, self._here / names.INPUTS))
        self._retry(lambda: self._folder.download_all(names.WORKSPACE, self._workspace))
        self._log.write_bytes(self._retry(lambda: self._folder.get(names.LOG)) or b"")
        self._retry(lambda: self._folder.put_status(names.TRAINING))
        dataset = str(self._here / names.INPUTS / self._job.dataset)
        config = str(self._here / names.INPUTS / names.CONFIG)
        asked = ["--config", config, "--dataset", dataset, "--output", str(self._run), *self._job.fit_arguments]
        if not self._retry(self._is_trained):
            if code := self._run_module(["training", "fit", *asked]):
                return names.FAILED, "The training failed. The end of the log says why.", code
            self._retry(lambda: self._send(names.RUN, self._run))
        self._retry(lambda: self._folder.put_status(names.EXPORTING))
        bundle = self._here / "bundles" / self._job.name
        code = self._run_module(["export", str(self._run), str(bundle), "--dataset", dataset, "--force"])
        if code:
            return names.FAILED, "The model is trained but could not be exported. The end of the log says why.", code
        self._retry(lambda: self._send(names.BUNDLE, bundle))
        return names.FINISHED, "", 0

    def _retry[T](self, work: Callable[[], T]) -> T:
        """Call `work`, and retry while S3 is unreachable, so that an outage does not lose a paid training.

        Raises:
            LaunchError: S3 refused the request.
            UnreachedError: S3 was unreachable for the job's `lost_minutes`.
        """
        began = time.monotonic()
        while True:
            try:
                return work()
            except UnreachedError as error:
                if time.monotonic() - began > self._job.lost_minutes * 60:
                    raise
                say(f"{error} Retrying ...")
                time.sleep(self._job.poll_seconds)

    def _is_trained(self) -> bool:
        """Return whether an earlier instance has finished the training, and download its run."""
        for name in self._listed():
            if name.startswith(f"{names.RUN}/"):
                self._folder.download(names.OUTPUTS + name, inside(self._run, name.removeprefix(f"{names.RUN}/")))
        return (self._run / TRAINING_RECORD).is_file()

    def _run_module(self, module: list[str]) -> int:
        """Run a module of the image and return its exit status. Raises JobInterruptedError."""
        with self._log.open("ab") as log:
            process = subprocess.Popen(["python3", "-m", *module], stdout=log, stderr=subprocess.STDOUT, cwd=self._here)
            try:
                while (code := _wait(process, self._job.poll_seconds)) is None:
                    self._look(log)
            except JobInterruptedError as error:
                _stop(process)
                log.write(f"{error}\n".encode())
                raise
            finally:
                if process.poll() is None:
                    process.kill()
        return code

    def _look(self, log: IO[bytes]) -> None:
        self._watch.look()
        self._send_log()
        self._polls += 1
        if self._polls % CHECKPOINT_POLLS == 0:
            self._send_checkpoints()

    def _send_log(self) -> None:
        size = self._log.stat().st_size if self._log.exists() else -1
        if size != self._sent_bytes:
            with _errors_printed():
                self._folder.upload(self._log, names.LOG)
                self._sent_bytes = size

    def _send_checkpoints(self) -> None:
        if self._workspace.is_dir():
            with _errors_printed():
                send_checkpoints(self._folder, self._workspace)

    def _send(self, name: str, output: Path) -> None:
        """Upload a folder, then the listing that makes it complete."""
        files = self._listed()
        for path, file in files_in(output):
            files[f"{name}/{path}"] = describe_file(file)
            self._folder.upload(file, f"{names.OUTPUTS}{name}/{path}")
        self._folder.put(names.LISTING, msgspec.json.encode(OutputListing(files)))

    def _listed(self) -> dict[str, BundleFile]:
        listing = self._folder.get(names.LISTING)
        return msgspec.json.decode(listing, type=OutputListing).files if listing else {}


class Watch:
    """Watches for events that end a job early."""

    def __init__(self, folder: Folder, job: Job) -> None:
        self._folder, self._job = folder, job
        self._heartbeat: str | None = None
        self._changed = time.monotonic()
        self._metadata = os.environ.get("AWS_EC2_METADATA_SERVICE_ENDPOINT", METADATA).rstrip("/")

    def look(self) -> None:
        """Raise JobInterruptedError if EC2 is about to reclaim the instance, or no launcher watches anymore."""
        if self._is_reclaimed():
            raise JobInterruptedError(names.INTERRUPTED, "EC2 is reclaiming the spot instance. The checkpoint is kept.")
        if not self._job.detached and self._silence() > self._job.lost_minutes * 60:
            raise JobInterruptedError(
                names.ABANDONED,
                f"The launcher sent no heartbeat for {self._job.lost_minutes:g} minutes. The checkpoint is kept.",
            )

    def _silence(self) -> float:
        """Return the seconds since the last change of the heartbeat."""
        with _errors_printed():
            found = self._folder.tag(names.HEARTBEAT)
            if found != self._heartbeat:
                self._heartbeat, self._changed = found, time.monotonic()
        return time.monotonic() - self._changed

    def _is_reclaimed(self) -> bool:
        """Return whether EC2 has announced an interruption of this spot instance (instance metadata, IMDSv2)."""
        try:
            token = _ask(f"{self._metadata}/latest/api/token", "PUT", {"X-aws-ec2-metadata-token-ttl-seconds": "60"})
            action = f"{self._metadata}/latest/meta-data/spot/instance-action"
            return bool(_ask(action, "GET", {"X-aws-ec2-metadata-token": token}))
        except OSError:  # 404 while no interruption is announced
            return False


def _ask(url: str, method: str, headers: dict[str, str]) -> str:
    request = urllib.request.Request(url, method=method, headers=headers)  # noqa: S310 - http, of this machine
    with urllib.request.urlopen(request, timeout=METADATA_SECONDS) as answer:  # noqa: S310
        return str(answer.read().decode())


def _wait(process: "subprocess.Popen[bytes]", seconds: float) -> int | None:
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        return None


def _stop(process: "subprocess.Popen[bytes]") -> None:
    """Interrupt a training, and wait until it has stopped."""
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(PATIENCE_SECONDS)


@contextmanager
def _errors_printed() -> Iterator[None]:
    """Print errors of S3 and continue: the next call uploads what this one could not."""
    try:
        yield
    except LaunchError as error:
        say(str(error))


def _interrupt(number: int, frame: FrameType | None) -> None:
    signal.signal(number, signal.SIG_IGN)
    raise JobInterruptedError(
        names.STOPPED, "The instance is shutting down: its timer has expired, or somebody terminated it."
    )


def main(arguments: list[str]) -> int:
    """Run the job at an S3 address. Return the exit status."""
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        Worker(Folder(Aws(None), parse_location(arguments[0])), Path.cwd()).work()
    except LaunchError as error:
        say(f"error: {error}")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
