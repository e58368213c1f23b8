"""What onnxruntime and its libraries write during the import becomes log lines."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.bundles import CRASH, INTENT, write_bundle
from tests.handler.deployment import ROOT, environment, run_python

HIDDEN = {
    "a part of /sys": ("mount -t tmpfs none /sys && mkdir /sys/class && touch /sys/class/drm", 0),
    "/proc": ("mount -t tmpfs none /proc", 2),
}
"""What a sandbox may hide, and how often onnxruntime's library cpuinfo then complains on stderr."""

ASK = "from handler.entrypoint import lambda_handler; lambda_handler({}, None)"
IN_A_NAMESPACE = ("unshare", "--map-root-user", "--mount", "bash", "-c")


def test_a_start_writes_only_json(bundles: Path) -> None:
    if subprocess.run([*IN_A_NAMESPACE, "mount -t tmpfs none /sys"], capture_output=True, check=False).returncode:
        pytest.skip("no mount namespace can be made here")
    for hidden, complaints in HIDDEN.values():
        started = subprocess.run(
            [*IN_A_NAMESPACE, f'{hidden} && exec "$0" -c "$1"', sys.executable, ASK],
            cwd=ROOT, env=environment(bundles), capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert (started.returncode, started.stderr) == (0, "")
        *warnings, ping = map(json.loads, started.stdout.splitlines())
        assert ping["message"] == "ping"
        assert [(line["level"], line["message"]) for line in warnings] == [
            ("WARNING", "onnxruntime warns")
        ] * complaints
        assert all(line["said"] and "\x1b" not in line["said"] for line in warnings)


LOAD = r"""
import logging, os
from handler.onnx_library import logged_stderr
logging.basicConfig(format="log: %(message)s")
with logged_stderr():
    os.write(2, b"Python's line\n\x1b[1;31mError in cpuinfo: none\n")
"""


def test_output_of_other_libraries_stays_on_stderr() -> None:
    written = run_python("-c", LOAD)
    assert written.stderr.splitlines() == ["Python's line", "log: onnxruntime warns"]
    assert written.stdout == ""


def test_a_failed_model_writes_only_json(tmp_path: Path) -> None:
    ask = f"""
from handler.entrypoint import lambda_handler
lambda_handler({{"httpMethod": "POST", "path": "/predict", "headers": {{"content-type": "application/json"}},
    "body": '{{"text": "{CRASH}"}}'}}, None)"""
    bundle = write_bundle(tmp_path / "intent", INTENT, breaking=True)
    asked = run_python("-c", ask, **environment(bundle))
    assert (asked.returncode, asked.stderr) == (0, "")
    failure, request = map(json.loads, asked.stdout.splitlines())
    assert (failure["message"], request["failed"]) == ("model intent failed", ["intent"])
