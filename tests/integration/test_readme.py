"""The README's commands, run in order in a fresh clone."""

import os
import re
import shutil
import socket
import subprocess
import time
from pathlib import Path

import pytest

from scripts.ask_emulator import free_port

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"^ *```bash\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
NOT_RUN = {"make test": "it is what runs this test"}
STICKY = ("source ",)
SERVERS = ("make serve", "ludwig-serverless serve")
README_PORT = "8000"
SECONDS = 900
ALREADY_INSTALLED = (".venvs", ".tools")

pytestmark = pytest.mark.integration


def commands(page: str) -> list[str]:
    """Return the commands of a page's `bash` blocks."""
    blocks = BLOCK.findall((ROOT / page).read_text(encoding="utf-8"))
    return [line.strip() for block in blocks for line in block.splitlines() if line.strip()]


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Clone the repository with uncommitted changes, and reuse the installed environments."""
    folder = tmp_path_factory.mktemp("fresh") / "ludwig-serverless"
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    for name in ALREADY_INSTALLED:
        if (ROOT / name).exists():
            (folder / name).symlink_to(ROOT / name)
    return folder


def test_every_command_of_the_readme_works(clone: Path) -> None:
    port = free_port()
    sticky: list[str] = []
    servers: list[subprocess.Popen[bytes]] = []
    try:
        for command in commands("README.md"):
            if command in NOT_RUN:
                continue
            if command.startswith(STICKY):
                sticky.append(command)
            elif any(server in command for server in SERVERS):
                stop(servers)
                servers.append(start(on_port(command, port), sticky, clone, port))
            else:
                run(on_port(command, port), sticky, clone)
    finally:
        stop(servers)


def test_commands_mentioned_in_the_readme_exist(clone: Path) -> None:
    page = (ROOT / "README.md").read_text(encoding="utf-8") + (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    targets = set(re.findall(r"`make ([a-z]+)", page)) | {line.split()[1] for line in commands("CONTRIBUTING.md")}
    for target in targets:
        done = subprocess.run(["make", "--dry-run", target], cwd=clone, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"make {target}: {done.stderr}"


def on_port(command: str, port: int) -> str:
    """Replace the README's port, which may be in use, by a free one."""
    if "make serve" in command:
        return f"{command} PORT={port}"
    if "ludwig-serverless serve" in command:
        return f"{command} --port {port}"
    return command.replace(f":{README_PORT}", f":{port}")


def run(command: str, sticky: list[str], folder: Path) -> str:
    done = subprocess.run(
        ["bash", "-ec", "\n".join([*sticky, command])],
        cwd=folder, env=environment(), timeout=SECONDS, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{command}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    if command.startswith("curl"):
        assert '"status":"success"' in done.stdout, done.stdout
    return done.stdout


def start(command: str, sticky: list[str], folder: Path, port: int) -> "subprocess.Popen[bytes]":
    server = subprocess.Popen(
        ["bash", "-ec", "\n".join([*sticky, command])], cwd=folder, env=environment(), start_new_session=True
    )
    deadline = time.monotonic() + SECONDS
    while not answers(port):
        assert server.poll() is None, f"{command} ended with status {server.returncode}"
        assert time.monotonic() < deadline, f"{command} does not answer on port {port}"
        time.sleep(0.1)
    return server


def stop(servers: "list[subprocess.Popen[bytes]]") -> None:
    while servers:
        server = servers.pop()
        os.killpg(server.pid, 15)
        server.wait(30)


def answers(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def environment() -> dict[str, str]:
    """Return a new user's environment variables, without this test's virtual environment."""
    return {name: value for name, value in os.environ.items() if name not in {"VIRTUAL_ENV", "MAKEFLAGS", "MAKELEVEL"}}
