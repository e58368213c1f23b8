"""Fixtures for all tests, and cleanup after each."""

import asyncio
import logging
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from xdist.scheduler.loadscope import LoadScopeScheduling

from handler import logs
from handler.command_line import usable_cores
from tests.bundles import write_standard_bundles
from tests.processes import running_aws

# Several processes of pytest-xdist share the cores, and threads that wait for a core would slow all of them down.
if workers := int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "0")):
    os.environ.setdefault("OMP_NUM_THREADS", str(max(usable_cores() // workers, 1)))

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

ALLOWED_SKIPS = (Path(__file__).parent / "allowed_skips.txt").read_text(encoding="utf-8").splitlines()


SHARED_BUILD = {"arm64", "image", "sam", "sam_build", "supply_chain", "training_image", "zip"}
"""The files tests/integration/test_NAME.py that build images and packages, under names that they share."""


class FileScheduling(LoadScopeScheduling):  # type: ignore[misc]
    """Gives each process a file at a time, and all files that share a build to the same process."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.split("::", 1)[0]
        return "shared build" if Path(file).stem.removeprefix("test_") in SHARED_BUILD else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    """Return what shares the tests among the processes of pytest-xdist."""
    return FileScheduling(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start with the slowest files, which pytest-xdist hands out one by one, so that no process waits at the end."""
    items.sort(
        key=lambda item: (item.get_closest_marker("integration") is None, item.get_closest_marker("ludwig") is None)
    )


def pytest_configure() -> None:
    """Undo `nohup` and background jobs: programs that tests start and signal inherit what this process ignores."""
    if signal.getsignal(signal.SIGHUP) == signal.SIG_IGN:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail the CI run if a test was skipped for a reason that is not on the list."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None:  # a process of pytest-xdist: the main process has the reports of all
        return
    skipped = [report for report in reporter.stats.get("skipped", []) if isinstance(report.longrepr, tuple | list)]
    reasons = {report.longrepr[2].removeprefix("Skipped: ") for report in skipped} - set(ALLOWED_SKIPS)
    if reasons and os.environ.get("CI"):
        reporter.write_line(f"skip reasons that tests/allowed_skips.txt lacks: {sorted(reasons)}", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a temporary folder that all processes of one run of the tests share."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@pytest.fixture(scope="session")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the bundles language, intent and slots; tests must not change it."""
    return write_standard_bundles(tmp_path_factory.mktemp("standard") / "bundles")


@pytest.fixture(scope="session")
def aws_address() -> Iterator[str]:
    """Return the URL of moto's imitation of AWS. Tests empty it before they use it: `use_empty_aws`, `reset_aws`."""
    with running_aws() as address:
        yield address


@pytest.fixture(scope="session", autouse=True)
def _event_loop() -> Iterator[None]:
    """Set the event loop that Mangum expects from Lambda's runtime."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    yield
    asyncio.set_event_loop(None)
    loop.close()


@pytest.fixture(autouse=True)
def _logger(request: pytest.FixtureRequest) -> Iterator[None]:
    """Restore the package's log after the test. A test with `caplog` reads Python's log, whatever was configured."""
    before = logs._log
    if "caplog" in request.fixturenames:
        logs._log = None
        logging.getLogger("handler").setLevel(logging.NOTSET)  # other tests raise it
    yield
    logs._log = before
