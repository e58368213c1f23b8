"""Only the pinned library of onnxruntime is called through the C API; everything else is refused or falls back."""

import ctypes.util
import json
import re
from pathlib import Path

import pytest

from handler import onnx_c_api
from handler.onnx_c_api import PINNED, CApi, NotPinnedError, OnnxError, c_api
from handler.onnx_library import library_path
from tests.handler.deployment import ROOT, environment, run_python
from tests.hexabot_client import http_api_event, multipart

ASK = """
import json, sys
import handler.onnx_c_api
exec(sys.argv[2])
from handler.entrypoint import lambda_handler
answer = lambda_handler(json.loads(sys.argv[1]), None)
print(json.dumps({"body": json.loads(answer["body"]), "numpy": "numpy" in sys.modules}))
"""
OTHER_VERSION = "handler.onnx_c_api.PINNED = '1.0.0'"
NO_PACKAGE = (
    f"{OTHER_VERSION}; sys.modules['onnxruntime'] = None; handler.onnx_c_api.library_path = lambda version: None"
)


def ask(bundles: Path, prepare: str) -> tuple[int, list[dict[str, object]], str]:
    """Answer one request in a new process. Returns the exit status, the lines of JSON and stderr."""
    content_type, body = multipart({"text": "fly to Paris"})
    event = http_api_event("POST", "/predict", body, headers={"content-type": content_type})
    finished = run_python("-c", ASK, json.dumps(event), prepare, **environment(bundles))
    return finished.returncode, [*map(json.loads, finished.stdout.splitlines())], finished.stderr


def test_the_pinned_version_is_the_one_that_is_installed() -> None:
    for file in ("constraints", "handler"):
        pins = (ROOT / "requirements" / f"{file}.txt").read_text(encoding="utf-8")
        assert re.findall(r"^onnxruntime==([\w.]+)", pins, re.MULTILINE) == [PINNED]
    assert library_path(PINNED) is not None
    assert library_path("1.0.0") is None
    assert c_api() is c_api()


def test_errors_have_onnxruntimes_message_and_are_released() -> None:
    api = c_api()
    api.check(None)
    with pytest.raises(OnnxError, match=r"Load model from /nowhere/model\.onnx failed"):
        api.created(api.CreateSession, api.env, b"/nowhere/model.onnx", None)


def test_another_library_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "text.so").write_text("no library")
    with pytest.raises(NotPinnedError, match=r"text\.so is not onnxruntime's C library"):
        CApi(tmp_path / "text.so")
    with pytest.raises(NotPinnedError, match=r"is not onnxruntime's C library: .*OrtGetApiBase"):
        CApi(Path(str(ctypes.util.find_library("c"))))
    library = library_path(PINNED)
    assert library is not None
    monkeypatch.setattr(onnx_c_api, "API_VERSION", 1000)
    with pytest.raises(NotPinnedError, match="lacks functions of version 1000"):
        CApi(library)
    monkeypatch.setattr(onnx_c_api, "PINNED", "1.0.0")
    with pytest.raises(NotPinnedError, match=rf"is onnxruntime {re.escape(PINNED)}, not 1\.0\.0"):
        CApi(library)


def test_another_version_answers_the_same_through_the_python_package(bundles: Path) -> None:
    status, (_, expected), stderr = ask(bundles, "")
    assert (status, stderr, expected["numpy"]) == (0, "", False)
    status, (warning, _, found), stderr = ask(bundles, OTHER_VERSION)
    assert (status, stderr, found["numpy"]) == (0, "", True)
    assert found["body"] == expected["body"]
    assert warning["level"] == "WARNING"
    assert warning["reason"] == "the C library of onnxruntime 1.0.0 is not installed"


def test_without_any_onnxruntime_the_start_says_what_to_install(bundles: Path) -> None:
    status, lines, stderr = ask(bundles, NO_PACKAGE)
    assert (status, lines) == (1, [])
    last = stderr.splitlines()[-1]
    assert "BundleError: No bundle can be loaded: the C library of onnxruntime 1.0.0 is not installed" in last
    assert "scripts/environment.py serve" in last
