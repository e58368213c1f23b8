"""The npm package hexabot-action-ludwig: its tests against a running service, and its installation."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from handler.auth import new_token
from tests.handler.deployment import served

ROOT = Path(__file__).parents[2]
PACKAGE = Path("integrations") / "hexabot-action-ludwig"
MADE = shutil.ignore_patterns("node_modules", "dist", "build", "*.tgz")
SECONDS = 300
DISCOVERY = "node_modules/hexabot-action-*/**/*.action.js"
"""The files that Hexabot 3.5 loads from a project's folder."""
USE = """\
import LudwigUnderstandAction from 'hexabot-action-ludwig';
import { ActionService } from '@hexabot-ai/api';

const action = new LudwigUnderstandAction(new ActionService());
const name: string = action.name;
void action.onModuleInit().then(() => console.log(name));
"""
WRONG_USE = USE.replace("const name: string", "const name: number")

pytestmark = pytest.mark.integration


def run(*command: str, cwd: Path, **environ: str) -> str:
    """Run a Node.js program, and return its output."""
    found = subprocess.run(
        command, cwd=cwd, env={**os.environ, **environ}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        encoding="utf-8", timeout=SECONDS, check=False,
    )  # fmt: skip
    assert found.returncode == 0, f"{' '.join(command)}\n{found.stdout[-5000:]}"
    return found.stdout


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the package with its pinned dependencies, next to a copy of its examples."""
    if shutil.which("npm") is None:
        pytest.skip("node and npm are not installed")
    root = tmp_path_factory.mktemp("action")
    shutil.copytree(ROOT / PACKAGE, root / PACKAGE, ignore=MADE)
    shutil.copytree(ROOT / "examples" / "hexabot", root / "examples" / "hexabot")
    run("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", cwd=root / PACKAGE)
    return root / PACKAGE


@pytest.fixture(scope="module")
def project(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a new project with the packed package and the imitation of Hexabot's API."""
    project = tmp_path_factory.mktemp("project")
    (packed,) = json.loads(run("npm", "pack", "--json", "--silent", cwd=package))
    (project / "package.json").write_text('{"name": "bot", "version": "1.0.0", "private": true}', encoding="utf-8")
    pinned = json.loads((package / "package.json").read_text(encoding="utf-8"))["devDependencies"]
    packages = (str(package / packed["filename"]), str(package / "standin"), f"zod@{pinned['zod']}")
    run("npm", "install", "--no-audit", "--no-fund", *packages, cwd=project)
    return project


def test_the_package_passes_its_tests_against_a_running_service(package: Path) -> None:
    token, digest = new_token()
    with served([ROOT / "examples" / "bundles"], NLU_TOKEN_DIGESTS=digest) as port:
        printed = run("npm", "test", cwd=package, LUDWIG_ENDPOINT=f"http://127.0.0.1:{port}", LUDWIG_TOKEN=token)
    assert re.search(r"^\S+ fail 0$", printed, re.MULTILINE)
    assert re.search(r"^\S+ skipped 0$", printed, re.MULTILINE)


def test_hexabot_finds_one_file_in_the_installed_package(project: Path) -> None:
    found = [str(path.relative_to(project)) for path in project.glob(DISCOVERY)]
    assert found == ["node_modules/hexabot-action-ludwig/dist/ludwig-understand.action.js"]


def test_the_installed_package_holds_no_test_and_no_second_hexabot(project: Path) -> None:
    installed = project / "node_modules" / "hexabot-action-ludwig"
    assert {path.name for path in installed.iterdir()} == {"README.md", "dist", "package.json", "src"}


def test_the_installed_package_runs_and_its_types_are_right(package: Path, project: Path) -> None:
    compiler = str(package / "node_modules" / ".bin" / "tsc")
    (project / "use.ts").write_text(USE, encoding="utf-8")
    run(compiler, "--strict", "--module", "node16", "--target", "es2022", "use.ts", cwd=project)
    assert run("node", "use.js", cwd=project) == "ludwig_understand\n"

    (project / "wrong.ts").write_text(WRONG_USE, encoding="utf-8")
    with pytest.raises(AssertionError, match="Type 'string' is not assignable to type 'number'"):
        run(compiler, "--strict", "--module", "node16", "--target", "es2022", "wrong.ts", cwd=project)


def test_the_dependencies_are_pinned_without_the_name_of_a_registry() -> None:
    lock = json.loads((ROOT / PACKAGE / "package-lock.json").read_text(encoding="utf-8"))
    packages = {name: entry for name, entry in lock["packages"].items() if "node_modules/" in name}
    linked = {name for name, entry in packages.items() if entry.get("link")}
    assert linked == {"node_modules/@hexabot-ai/api"}
    for name in packages.keys() - linked:
        assert packages[name]["integrity"].startswith("sha512-"), name
        assert "resolved" not in packages[name], name
    assert not re.search(r"https?://registry|npmjs", json.dumps(lock))
