"""Every choice in docs/support.md, trained with Ludwig, exported and proven."""

from pathlib import Path

import pytest

from tests.zoo.models import CHOICES, Config
from tests.zoo.pretrained import TRANSFORMERS, transformer_choice
from tests.zoo.proof import FORMATS, train_and_prove

SUPPORT = Path(__file__).resolve().parents[2] / "docs" / "support.md"
NAMES = [(group, name) for group, choices in CHOICES.items() for name in choices]

pytestmark = [pytest.mark.ludwig, pytest.mark.filterwarnings("ignore")]


@pytest.mark.parametrize(("group", "name"), NAMES, ids=[f"{group}: {name}" for group, name in NAMES])
def test_a_choice_is_exported_exactly(group: str, name: str, tmp_path: Path) -> None:
    assert_proven(CHOICES[group][name], tmp_path)


@pytest.mark.parametrize("name", TRANSFORMERS)
def test_a_transformer_is_exported_exactly(name: str, tmp_path: Path) -> None:
    assert_proven(transformer_choice(name, tmp_path / "pretrained"), tmp_path)


def assert_proven(config: Config, folder: Path) -> None:
    parities = train_and_prove(config, folder)
    assert set(parities) == set(FORMATS)
    assert all(parity.passed and parity.rows > 40 for parity in parities.values())


def test_the_page_lists_every_supported_choice() -> None:
    page = SUPPORT.read_text(encoding="utf-8")
    missing = [name for name in [*(name for _, name in NAMES), *TRANSFORMERS] if f"| {name} |" not in page]
    assert not missing, f"run `make support`, which updates {SUPPORT.name}: {missing}"
