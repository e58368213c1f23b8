"""A job: what the launcher writes and the worker reads, and the files of its folder in S3.

s3://BUCKET/PREFIX/jobs/ID/
    job.json      what the job does
    inputs/       the configuration and the dataset
    heartbeat     changes while the launcher watches; if it stops changing, the instance terminates
    status.json   the state of the job
    log.txt       the output of `fit` and `export`
    workspace/    the last checkpoint, to resume from
    outputs/      run/ and bundle/; outputs.json lists their files
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
"""Final states: the instance terminates after them."""


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """The description of a job.

    Attributes:
        id: The job id.
        name: The name of the run.
        dataset: The file name of the dataset in inputs/.
        image: The reference of the training image.
        instance_type: The instance type. A resumed job uses it by default.
        market: `spot`, `on-demand` or `spot-or-on-demand`. A resumed job uses it by default.
        fit_arguments: More arguments of `ludwig-serverless fit`.
        detached: Whether the job runs without a launcher that watches it.
        lost_minutes: The instance terminates after this time without a heartbeat, unless the job is detached.
        poll_seconds: How often the launcher and the worker check for changes.
        format: The version of this format.
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
    """The state of a job.

    Attributes:
        state: The state.
        message: A message for the user.
        exit_code: The exit status of `fit` or `export`, if it ended.
    """

    state: str
    message: str = ""
    exit_code: int | None = None


class OutputListing(msgspec.Struct, frozen=True):
    """The files of outputs/, by path."""

    files: dict[str, BundleFile]


@dataclass(frozen=True)
class JobLocation:
    """The folder of a job in S3.

    Attributes:
        bucket: Name of the bucket.
        key: The S3 key, without a trailing slash.
    """

    bucket: str
    key: str

    @property
    def job(self) -> str:
        """The job id."""
        return self.key.rpartition("/")[2]

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.key}"


def new_id() -> str:
    """Return an id that sorts by time."""
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"


def new_location(bucket: str, prefix: str) -> JobLocation:
    """Return the location of a new job."""
    return JobLocation(bucket, "/".join([*([prefix] if prefix else []), "jobs", new_id()]))


def parse_location(given: str) -> JobLocation:
    """Return the location of a job from its S3 address. Raises LaunchError if the address is not valid."""
    found = S3.fullmatch(given)
    key = (found["prefix"] or "").strip("/") if found else ""
    if not found or not ID.fullmatch(key.rpartition("/")[2]):
        raise LaunchError(
            f"{given} is not the address of a job. Expected an address such as "
            "s3://my-bucket/ludwig-serverless/jobs/20261103-141530-3fa9c1. "
            "`ludwig-serverless launch run` prints it, and `ludwig-serverless launch list` while the job runs."
        )
    return JobLocation(found["bucket"], key)
