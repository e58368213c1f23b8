"""What tests that start programs need: a free port, and the programs of the other environments."""

import socket
import subprocess
import sys
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]


def free_port() -> int:
    """Return a port of this machine that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@cache
def tool(environment: str, name: str) -> str:
    """Return the path of a program of an environment, which is made where it is not there yet."""
    command = [sys.executable, str(ROOT / "scripts" / "environment.py"), environment]
    interpreter = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
    return str(Path(interpreter).with_name(name))
