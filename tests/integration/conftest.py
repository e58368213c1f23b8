"""AWS's Runtime Interface Emulator, for all tests that invoke a handler in it."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.processes import ROOT


@pytest.fixture(scope="session")
def emulator() -> Path:
    command = [sys.executable, "scripts/environment.py", "emulator"]
    return Path(subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout.strip())
