"""What onnxruntime and its libraries write during the import becomes log lines."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.bundles import CRASH, INTENT, write_bundle
from tests.handler.deployment import ROOT, environment, run_python

HIDDEN = {
    "a part of /sys": "mount -t tmpfs none /sys && mkdir /sys/class && touch /sys/class/drm",
    "/proc": "mount -t tmpfs none /proc",
}
"""What a sandbox may hide; onnxruntime or its library cpuinfo complains of each, in color and in plain text."""

ASK = "from handler.entrypoint import lambda_handler; lambda_handler({}, None)"
IN_A_NAMESPACE = ("unshare", "--map-root-user", "--mount", "bash", "-c")


def test_a_start_writes_only_json(bundles: Path) -> None:
    if subprocess.run([*IN_A_NAMESPACE, "mount -t tmpfs none /sys"], capture_output=True, check=False).returncode:
        pytest.skip("no mount namespace can be made here")
    for hidden in HIDDEN.values():
        started = subprocess.run(
            [*IN_A_NAMESPACE, f'{hidden} && exec "$0" -c "$1"', sys.executable, ASK],
            cwd=ROOT, env=environment(bundles), capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert (started.returncode, started.stderr) == (0, "")
        *warnings, ping = map(json.loads, started.stdout.splitlines())
        assert ping["message"] == "ping"
        assert {(line["level"], line["message"]) for line in warnings} == {("WARNING", "onnxruntime warns")}
        assert all(line["said"] and "\x1b" not in line["said"] for line in warnings)


def test_output_of_other_libraries_stays_on_stderr() -> None:
    written = run_python("-X", "importtime", "-c", "import handler.onnx_library")
    lines = [line for line in written.stderr.splitlines() if line.endswith(" onnxruntime")]
    assert [line.startswith("import time:") for line in lines] == [True]
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
