"""A job, as the launcher writes it and the worker reads it, and the names of the files in its folder in S3.

s3://BUCKET/PREFIX/jobs/ID/
    job.json      what the job does
    inputs/       the configuration and the dataset
    heartbeat     changed by the launcher as long as it watches; without it, the instance terminates
    status.json   how far the job is
    log.txt       what `fit` and `export` print
    workspace/    the last checkpoint, to resume from
    outputs/      run/ and bundle/, and in outputs.json what they must hold
"""

import re
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from handler.bundle import BundleFile
from handler.sources import S3
from training.errors import LaunchError

FORMAT = 1
JOB, HEARTBEAT, STATUS, LOG = "job.json", "heartbeat", "status.json", "log.txt"
INPUTS, WORKSPACE, OUTPUTS, LISTING = "inputs/", "workspace/", "outputs/", "outputs.json"
CONFIG = "config.yaml"
RUN, BUNDLE = "run", "bundle"
ID = re.compile(r"\d{8}-\d{6}-[0-9a-f]{6}")

STARTING, TRAINING, EXPORTING = "starting", "training", "exporting"
FINISHED, FAILED, INTERRUPTED, ABANDONED, STOPPED = "finished", "failed", "interrupted", "abandoned", "stopped"
FINAL = {FINISHED, FAILED, INTERRUPTED, ABANDONED, STOPPED}
"""States after which the instance ends."""


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """What a job does. name: of the run. dataset: its file's name under inputs/.

    image: the container's. instance_type, market: what it runs on, and resumes on unless told otherwise.
    lost_minutes: the instance ends after this long without a heartbeat, unless the job is detached.
    poll_seconds: how often both sides look.
    """

    id: str
    name: str
    dataset: str
    image: str
    instance_type: str
    market: str
    fit_arguments: tuple[str, ...] = ()
    detached: bool = False
    lost_minutes: float = 15.0
    poll_seconds: float = 10.0
    format: int = FORMAT


class Status(msgspec.Struct, frozen=True):
    """How far a job is."""

    state: str
    message: str = ""
    exit_code: int | None = None


class Listing(msgspec.Struct, frozen=True):
    """What outputs/ must hold, by path."""

    files: dict[str, BundleFile]


@dataclass(frozen=True)
class Place:
    """The folder of a job in S3. key: without a slash at its end."""

    bucket: str
    key: str

    @property
    def job(self) -> str:
        """The job's id."""
        return self.key.rpartition("/")[2]

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.key}"


def new_id() -> str:
    """Return an id that sorts by time."""
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"


def new_place(bucket: str, prefix: str) -> Place:
    """Return the folder of a new job."""
    return Place(bucket, "/".join([*([prefix] if prefix else []), "jobs", new_id()]))


def parse_place(given: str) -> Place:
    """Return the folder of a job, from its address. Raises LaunchError if it is not one."""
    found = S3.fullmatch(given)
    key = (found["prefix"] or "").strip("/") if found else ""
    if not found or not ID.fullmatch(key.rpartition("/")[2]):
        raise LaunchError(
            f"{given} is not a job: give its address, such as "
            "s3://my-bucket/ludwig-serverless/jobs/20261103-141530-3fa9c1. "
            "`ludwig-serverless launch run` prints it; `ludwig-serverless launch list` does while its instance runs."
        )
    return Place(found["bucket"], key)
