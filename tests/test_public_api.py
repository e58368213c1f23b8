"""The public API of each package: its names, its import cost, and the examples in docs/reference/python.md."""

import importlib
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from handler.errors import LudwigServerlessError
from handler.predictor import load_bundle

ROOT = Path(__file__).parents[1]
PACKAGES = ("handler", "export", "training")
PAGE = (ROOT / "docs" / "reference" / "python.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("package", PACKAGES)
def test_every_public_name_exists(package: str) -> None:
    module = importlib.import_module(package)
    for name in module.__all__:
        assert getattr(module, name) is not None
    listed = {name for names in module.MODULES.values() for name in names}
    assert listed == set(module.__all__) - {"__version__"}
    with pytest.raises(AttributeError, match=f"module '{package}' has no attribute 'nothing'"):
        _ = module.nothing


@pytest.mark.parametrize("package", PACKAGES)
def test_a_public_name_is_never_a_module(package: str) -> None:
    """Otherwise, `from training import fit` could be the function or the module, depending on the import order."""
    modules = {path.stem for path in (ROOT / package).iterdir() if path.suffix == ".py" or path.is_dir()}
    assert not modules & set(importlib.import_module(package).__all__)


def test_a_class_name_means_one_thing_in_all_packages() -> None:
    """Class names are unique, so that a search finds one class. Private classes may repeat."""
    modules: dict[str, list[str]] = {}
    for path in sorted(file for package in PACKAGES for file in (ROOT / package).rglob("*.py")):
        for name in re.findall(r"^class ([A-Za-z]\w*)", path.read_text(encoding="utf-8"), re.MULTILINE):
            modules.setdefault(name, []).append(path.relative_to(ROOT).as_posix())
    assert len(modules) > 100
    assert not {name: found for name, found in modules.items() if len(found) > 1}


def test_importing_the_packages_imports_nothing_else() -> None:
    code = (
        "import sys; before = set(sys.modules); import handler, export, training; import typing, types\n"
        "print(sorted(name for name in set(sys.modules) - before if name.split('.')[0] not in sys.stdlib_module_names))"
    )
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert found.stdout == "['export', 'handler', 'training']\n"


@pytest.mark.parametrize("package", PACKAGES)
def test_every_exception_has_one_root(package: str) -> None:
    module = importlib.import_module(package)
    errors = [getattr(module, name) for name in module.__all__ if name.endswith("Error")]
    assert errors
    assert all(issubclass(error, LudwigServerlessError) for error in errors)


def test_each_example_is_short() -> None:
    assert len(EXAMPLES) == 4
    assert all(len([line for line in example.splitlines() if line]) <= 3 for example in EXAMPLES)


def test_the_examples_of_the_handler_run() -> None:
    assert run(*EXAMPLES[:2], folder=ROOT).splitlines() == [
        "book_flight",
        "['<SOS>', 'O', 'O', 'O', 'O', 'O', 'B-destination', '<EOS>']",
    ]


@pytest.mark.ludwig
def test_the_examples_of_training_and_export_run(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "examples" / "demo", tmp_path / "examples" / "demo")
    accuracy, passed = run(*EXAMPLES[2:], folder=tmp_path).splitlines()
    assert 0 <= float(accuracy) <= 1
    assert passed == "True"
    assert load_bundle(tmp_path / "bundles" / "intent").predict([{"text": "hello"}])


def run(*examples: str, folder: Path) -> str:
    """Run the examples in one script, and return its output."""
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r})\n" + "\n".join(examples)
    found = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr
    return found.stdout
