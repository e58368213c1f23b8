"""A real browser for the tests of pages: Debian's Chromium, started once for each module."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Request, expect, sync_playwright

from handler.outputs import CategoryOutput
from handler.thresholds import Thresholds
from scripts.debian import DebianError, install
from tests.bundles import INTENT, edit_manifest, write_bundle
from tests.handler.deployment import served

PROGRAM = "chromium"
WAIT_MILLISECONDS = 20_000
"""How long an action or `expect` waits before the test fails; no test measures it."""
expect.set_options(timeout=WAIT_MILLISECONDS)
DESKTOP = {"width": 1280, "height": 900}
PHONE = {"width": 360, "height": 740}

BUNDLES = Path(__file__).parents[2] / "examples" / "bundles"
LIMIT, SOFTNESS = 0.7, 2.0

OpenPage = Callable[..., Page]
"""`open_page(url, phone=False, dark=False, **context options)`: opens a page in a browser profile of its own."""


@pytest.fixture(scope="session")
def chromium() -> str:
    """Return the path of Debian's Chromium, which is installed if the tests run as root."""
    if not shutil.which(PROGRAM):
        try:
            install(PROGRAM)
        except DebianError:
            pytest.skip("no browser runs here")
    return str(shutil.which(PROGRAM))


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    """Start the browser, without a window. It stops after each module: its event loop blocks others."""
    # Chromium refuses to sandbox root's processes.
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=arguments)
        yield started
        started.close()


@pytest.fixture
def open_page(browser: Browser) -> Iterator[OpenPage]:
    """Return a function that opens a page. The test fails if a page logs an error or asks another host for a file.

    A response with an error status is no such error if the test lists its path in `refused`.
    """
    opened: list[tuple[Page, list[str]]] = []

    def open_it(
        url: str, *, phone: bool = False, dark: bool = False, refused: tuple[str, ...] = (), **options: Any
    ) -> Page:
        theme = "dark" if dark else "light"
        context = browser.new_context(viewport=PHONE if phone else DESKTOP, color_scheme=theme, **options)  # type: ignore[arg-type]
        context.set_default_timeout(WAIT_MILLISECONDS)
        page = context.new_page()
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda line: errors.append(line.text) if _is_error(line, refused) else None)
        page.on("request", lambda request: errors.append(request.url) if _is_foreign(request) else None)
        opened.append((page, errors))
        page.goto(url)
        return page

    yield open_it
    for page, errors in opened:
        page.context.close()
        assert errors == []


@pytest.fixture(scope="session")
def other_bundles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write another intent model: `fly` means book_flight, and a softened confidence below the limit does not count."""
    folder = write_bundle(tmp_path_factory.mktemp("other") / "intent", INTENT)
    limits = Thresholds(default=LIMIT, softness=SOFTNESS)
    edit_manifest(folder, outputs=[CategoryOutput(name="intent", labels=INTENT.labels, thresholds=limits)])
    return folder


@pytest.fixture(scope="session")
def address(other_bundles: Path) -> Iterator[str]:
    with served([BUNDLES], "--open", "--compare", str(other_bundles)) as port:
        yield f"http://127.0.0.1:{port}/playground"


def _is_error(line: Any, refused: tuple[str, ...]) -> bool:
    where = f"{line.location['url'].split('?')[0]}' {line.text}"  # a refused cross-origin request is only in the text
    return line.type == "error" and not any(f"{path}'" in where for path in refused)


def _is_foreign(request: Request) -> bool:
    return not request.url.startswith(("http://127.0.0.1:", "blob:http://127.0.0.1:", "data:", "file:"))
