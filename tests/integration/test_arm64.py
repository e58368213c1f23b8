"""The arm64 package under qemu: it loads and answers as on x86-64, with /sys and without it."""

import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from scripts.arm64 import ANSWER, BUNDLES, EMULATOR, GOLDEN_CHECK, EmulationError, add_package, make_system, run
from scripts.ask_emulator import hexabot_event
from scripts.debian import can_install
from scripts.podman import say
from scripts.zip_package import build
from tests.hexabot_client import decode, understand

ROOT = Path(__file__).resolve().parents[2]
TEXT = "book me a flight to New York next friday morning"
EVENTS = [GOLDEN_CHECK, hexabot_event(TEXT, "")]

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an arm64 system with the package of the shipped bundles."""
    if not can_install() and not shutil.which(EMULATOR):
        say("THE TESTS OF THE ARM64 PACKAGE DO NOT RUN. Install qemu-user-static and debootstrap.")
        pytest.skip("no arm64 emulator runs here")
    folder = make_system(tmp_path_factory.mktemp("arm64") / "root")
    if subprocess.run(["unshare", "--map-root-user", "--mount", "true"], check=False).returncode:
        pytest.skip("no mount namespace can be made here")
    add_package(folder, BUNDLES)
    return folder


@pytest.fixture(scope="module")
def expected() -> list[Any]:
    """Return this machine's answers to the same events."""
    environ = {"PATH": "/usr/bin:/bin", "NLU_BUNDLES": str(BUNDLES), "NLU_OPEN": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", ANSWER], cwd=ROOT, env=environ, input=json.dumps(EVENTS), capture_output=True, text=True
    )
    answers: list[Any] = json.loads(done.stdout.splitlines()[-1])
    return answers


@pytest.mark.parametrize("sys_shown", [True, False], ids=["with /sys", "without /sys"])
def test_the_package_answers_as_on_this_machine(system: Path, expected: list[Any], sys_shown: bool) -> None:
    golden, answered = run(system, EVENTS, sys_shown=sys_shown)
    assert golden == expected[0]
    assert (golden["changed"], golden["unproven"]) == ([], [])
    assert sorted(golden["models"]) == ["intent", "language", "slots"]
    bodies = [decode(answer["body"].encode()) for answer in (answered, expected[1])]
    found, wanted = (understand(TEXT, body) for body in bodies)
    assert {name: trait.value for name, trait in found.traits.items()} == {"intent": "book_flight", "language": "en"}
    places = [[(slot.entity, slot.value, slot.start, slot.end) for slot in one.slots] for one in (found, wanted)]
    assert places[0] == places[1] != []
    probabilities = [body["intent"]["predictions"]["intent_probabilities"] for body in bodies]
    assert probabilities[0] == pytest.approx(probabilities[1], abs=1e-4)


def test_the_stand_in_for_lambdas_python_runs_the_same_libraries(system: Path, tmp_path: Path) -> None:
    packages = (system.parent / "function.zip", build(BUNDLES, "arm64", tmp_path).path)
    libraries = []
    for path in packages:
        with zipfile.ZipFile(path) as package:
            libraries.append({entry.filename: entry.CRC for entry in package.infolist() if ".so" in entry.filename})
    shared = [name for name in libraries[0] if libraries[0][name] == libraries[1].get(name)]
    assert any(name.startswith("onnxruntime/capi/libonnxruntime.so.") for name in shared)
    assert "tokenizers/tokenizers.abi3.so" in shared


def test_a_function_that_fails_is_an_error(system: Path) -> None:
    with pytest.raises(EmulationError, match=r"(?s)ended with status 1 on arm64: .*not iterable"):
        run(system, None, sys_shown=True)
