"""Helpers of tests that start programs: free ports, and programs of other environments."""

import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest

from scripts.local_aws import running_moto

START_SECONDS = 30
ROOT = Path(__file__).parents[1]


@cache
def tool(environment: str, name: str) -> str:
    """Return the path of a program in an environment, which is created if necessary."""
    command = [sys.executable, str(ROOT / "scripts" / "environment.py"), environment]
    interpreter = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
    return str(Path(interpreter).with_name(name))


@contextmanager
def running_aws() -> Iterator[str]:
    """Run moto's imitation of AWS on a free local port, and yield its URL."""
    with running_moto(Path(tool("cloud", "python"))) as address:
        yield address


def aws_environ(address: str) -> dict[str, str]:
    """Return environment variables that point AWS clients to moto."""
    keys = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x"}
    return {**keys, "AWS_ENDPOINT_URL": address, "AWS_DEFAULT_REGION": "eu-west-1"}


def use_empty_aws(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reset moto, and point the AWS clients of this process to it."""
    for name, value in aws_environ(address).items():
        monkeypatch.setenv(name, value)
    reset_aws(address)


def reset_aws(address: str) -> None:
    """Delete everything in moto."""
    request = urllib.request.Request(f"{address}/moto-api/reset", method="POST")
    urllib.request.urlopen(request, timeout=START_SECONDS).close()
