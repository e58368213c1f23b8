"""Pages: complete in one response, and a policy that allows their own scripts and styles only."""

import base64
import hashlib
import json
import re
from pathlib import Path

import pytest

from handler import page as assembling
from handler.auth import digest
from handler.page import PAGES, page
from tests.handler.deployment import deploy, environment, run_python

NAMES = sorted(path.stem for path in PAGES.glob("*.html"))
MODULES = """
import json, sys
from handler.entrypoint import lambda_handler
print(json.dumps("handler.page" in sys.modules))
"""


@pytest.mark.parametrize("name", NAMES)
def test_a_page_is_complete_and_allows_exactly_its_own_code(name: str) -> None:
    found = page(name)
    html = found.body.decode()
    assert not re.findall(r"<(?:link|script|img|iframe)[^>]*(?:src|href)=[\"'](?!data:)", html)
    assert not re.search(r"<[^>]+\s(?:style|on\w+)=", html), "the policy blocks these attributes"
    policy = dict(part.split(" ", 1) for part in found.headers["content-security-policy"].split("; "))
    for tag in ("script", "style"):
        contents = re.findall(f"<{tag}>(.*?)</{tag}>", html, re.DOTALL)
        hashes = [base64.b64encode(hashlib.sha256(each.encode()).digest()).decode() for each in contents]
        assert policy[f"{tag}-src"].split() == [f"'sha256-{each}'" for each in hashes]
    assert policy["default-src"] == policy["base-uri"] == policy["frame-ancestors"] == "'none'"
    assert policy["connect-src"] == "'self'"


@pytest.mark.parametrize("path", sorted(PAGES.glob("*.js")), ids=lambda path: path.name)
def test_scripts_never_parse_texts_as_html(path: Path) -> None:
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", path.read_text("utf-8"))


def test_a_script_that_would_end_its_element_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(assembling, "PAGES", tmp_path)
    (tmp_path / "broken.html").write_text('<script src="broken.js"></script>')
    (tmp_path / "broken.js").write_text("const end = '</SCRIPT>';")
    with pytest.raises(ValueError, match=r"broken\.js contains </script"):
        page("broken")


def test_the_playground_needs_a_setting_and_no_token(bundles: Path) -> None:
    tokens = {"NLU_OPEN": "", "NLU_TOKEN_DIGESTS": digest("a token")}
    assert deploy(bundles, **tokens)("GET", "/playground").status == 404
    send = deploy(bundles, NLU_PLAYGROUND="1", **tokens)
    for path in ("/playground", "/playground/"):
        answer = send("GET", path, stage="prod")
        assert (answer.status, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
        assert (answer.headers["x-content-type-options"], answer.headers["referrer-policy"]) == (
            "nosniff",
            "no-referrer",
        )
        assert answer.headers["x-request-id"]
        assert answer.body.startswith(b"<!doctype html>")
    assert send("POST", "/playground").status == 405


def test_no_page_is_loaded_before_a_request_needs_it(bundles: Path) -> None:
    finished = run_python("-c", MODULES, **environment(bundles, NLU_PLAYGROUND="1"))
    assert json.loads(finished.stdout.splitlines()[-1]) is False
