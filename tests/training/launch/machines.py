"""Machines for moto's instances: they really run the user data.

Only a few programs are replaced: `docker` starts the worker itself instead of a container, `python3 -m training fit` is
a short script unless the training is real, `systemctl` starts the unit that it enables, and `shutdown -h now` and
`systemctl poweroff` end the instance, as EC2 would. Files in /etc and /usr go to the machine's own folder.
"""

import base64
import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any

import boto3

from tests.processes import ROOT, aws_environ
from training.launch.instances import ALIVE

LOOK_SECONDS = 0.1
PROGRAMS = Path(__file__).with_name("programs")
PATHS = {
    "/etc/systemd/system": "units",
    "/usr/local/sbin": "sbin",
    "/proc/sys/kernel/random/boot_id": "boot_id",
}
"""Paths that the user data uses outside its own folder, and their place in the machine's folder."""


@dataclass
class Machines:
    """All machines of a test.

    Attributes:
        folder: Holds one folder for each machine, and the instructions for their programs (`told.json`).
        upstream: The address of the local AWS.
        real: Whether the training is real.
        notice: Whether EC2 announces that it reclaims spot instances.
        boots: Whether machines run their user data.
        worker_address: The AWS address for the worker, if it differs from `upstream`.
        worker_environ: Additional environment variables of the worker.
    """

    folder: Path
    upstream: str
    real: bool = False
    notice: bool = False
    boots: bool = True
    worker_address: str = ""
    worker_environ: dict[str, str] = field(default_factory=dict)
    processes: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)
    killed: set[str] = field(default_factory=set)
    over: Event = field(default_factory=Event)

    def __post_init__(self) -> None:
        keys = aws_environ(self.upstream)
        self.ec2: Any = boto3.client(
            "ec2",
            endpoint_url=self.upstream,
            region_name=keys["AWS_DEFAULT_REGION"],
            aws_access_key_id="x",
            aws_secret_access_key="x",
        )

        self.before = {each["InstanceId"] for each in self._all()}

    def tell(self, **told: Any) -> None:
        """Set how the training runs: its epochs, seconds per epoch, and whether fit, pull or export fails."""
        (self.folder / "told.json").write_text(json.dumps(told))

    def heard(self, name: str) -> list[str]:
        """Return the arguments of each call of a program, on all machines in turn."""
        found = sorted(self.folder.glob(f"i-*/called/*-{name}"))
        return [path.read_text().strip() for path in found]

    def trained(self, epoch: int) -> bool:
        """Return whether a training on any machine has reached an epoch."""
        return any(f"epoch {epoch}/" in path.read_text() for path in self.folder.glob("i-*/job/log.txt"))

    def instances(self) -> list[dict[str, Any]]:
        """Return the instances of this test."""
        new = (each for each in self._all() if each["InstanceId"] not in self.before)
        return sorted(new, key=lambda each: each["LaunchTime"])

    def _all(self, *states: str) -> list[dict[str, Any]]:
        filters = [{"Name": "instance-state-name", "Values": list(states)}] if states else []
        pages = self.ec2.get_paginator("describe_instances").paginate(Filters=filters)
        return [each for page in pages for group in page["Reservations"] for each in group["Instances"]]

    def alive(self) -> list[str]:
        """Return the running instances. After a launch, there must be none."""
        found = sorted(self._all(*ALIVE), key=lambda each: each["LaunchTime"])
        return [each["InstanceId"] for each in found if each["InstanceId"] not in self.before]

    def run(self, metadata: str) -> None:
        """Boot new instances and switch off terminated ones until the test ends."""
        while not self.over.wait(LOOK_SECONDS):
            alive = set(self.alive())
            for each in alive - set(self.processes) if self.boots else ():
                self.processes[each] = self._boot(each, metadata)
            for each, process in self.processes.items():
                if each in alive and (self.folder / each / "off").exists():
                    self._end(each)
                if each not in alive and each not in self.killed:
                    self.killed.add(each)
                    _kill(process)

    def _end(self, instance: str) -> None:
        """Terminate an instance that powered off, if that is its shutdown behavior."""
        attribute = self.ec2.describe_instance_attribute(
            InstanceId=instance, Attribute="instanceInitiatedShutdownBehavior"
        )["InstanceInitiatedShutdownBehavior"]
        if attribute["Value"] == "terminate":
            self.ec2.terminate_instances(InstanceIds=[instance])

    def reboot(self, instance: str) -> None:
        """Kill all processes of a machine and start its enabled units. User data runs only once."""
        _kill(self.processes[instance])
        folder = self.folder / instance
        (folder / "boot_id").write_text("another-boot\n")
        self.processes[instance] = subprocess.Popen(
            [str(PROGRAMS / "systemctl"), "boot"], env=self._environ(folder, ""), cwd=folder, start_new_session=True
        )

    def advance(self, seconds: float) -> None:
        """Set the clocks of all machines ahead."""
        (self.folder / "ahead").write_text(f"{seconds:.0f}")

    def _boot(self, instance: str, metadata: str) -> "subprocess.Popen[bytes]":
        found = self.ec2.describe_instance_attribute(InstanceId=instance, Attribute="userData")
        folder = self.folder / instance
        for name in ("called", "units", "sbin"):
            (folder / name).mkdir(parents=True)
        script = folder / "user-data"
        (folder / "boot_id").write_text("first-boot\n")
        text = base64.b64decode(found["UserData"]["Value"])
        for real, here in PATHS.items():
            assert real.encode() in text
            text = text.replace(real.encode(), str(folder / here).encode())
        script.write_bytes(text)
        script.chmod(0o700)
        with (folder / "console").open("wb") as console:
            return subprocess.Popen(
                [str(script)],
                env=self._environ(folder, metadata),
                cwd=folder,
                stdout=console,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _environ(self, folder: Path, metadata: str) -> dict[str, str]:
        environ = {
            **aws_environ(self.worker_address or self.upstream),
            **self.worker_environ,
            "PATH": f"{PROGRAMS}:/usr/bin:/bin",
            "AWS_EC2_METADATA_SERVICE_ENDPOINT": metadata,
            "MACHINE": str(folder),
            "INTERPRETER": sys.executable,
            "REPOSITORY": str(ROOT),
            "REAL": "1" if self.real else "",
            "HOME": os.environ.get("HOME", "/"),
        }
        del environ["AWS_DEFAULT_REGION"]  # the user data must give it to the container
        return environ


def _kill(process: "subprocess.Popen[bytes]") -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@contextmanager
def running_machines(folder: Path, upstream: str) -> Iterator[Machines]:
    """Run machines for the instances of the local EC2."""
    assert all(path.stat().st_mode & stat.S_IXUSR for path in PROGRAMS.iterdir())
    machines = Machines(folder, upstream)
    machines.tell()
    with _metadata(machines) as address:
        thread = Thread(target=machines.run, args=(address,))
        thread.start()
        try:
            yield machines
        finally:
            machines.over.set()
            thread.join()
            for instance in machines.processes.keys() - machines.killed:
                _kill(machines.processes[instance])


@contextmanager
def _metadata(machines: Machines) -> Iterator[str]:
    """Answer as EC2's instance metadata does, version 2: with a token only."""

    class Metadata(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            self._answer(200, b"token")

        def do_GET(self) -> None:
            if self.headers.get("X-aws-ec2-metadata-token") != "token":
                self._answer(401, b"")
            elif self.path == "/latest/meta-data/spot/instance-action" and machines.notice:
                self._answer(200, b'{"action": "terminate", "time": "2026-11-03T14:15:30Z"}')
            else:
                self._answer(404, b"")

        def _answer(self, status: int, content: bytes) -> None:
            self.send_response(status)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Metadata)
    server.daemon_threads = True
    Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
