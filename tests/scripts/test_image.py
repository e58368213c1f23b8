"""What a build of the image or of the zip package copies."""

from pathlib import Path

import pytest

from handler.errors import BundleError
from scripts.image import stage_bundles
from tests.bundles import INTENT, write_bundle, write_standard_bundles


def test_a_build_gets_the_bundles_and_their_shadows_and_no_earlier_ones(tmp_path: Path) -> None:
    source, target = write_standard_bundles(tmp_path / "bundles"), tmp_path / "staged"
    shadow = write_bundle(source / "shadow" / "intent", INTENT)
    write_bundle(source / "previous" / "intent", INTENT)
    stage_bundles(source, target)
    staged = sorted(path.parent.relative_to(target).as_posix() for path in target.rglob("manifest.json"))
    assert staged == ["intent", "language", "shadow/intent", "slots"]
    stage_bundles(source / "intent", target)
    assert [path.name for path in target.iterdir()] == ["intent"]
    (shadow / "vocabulary.json").write_text("[]")
    with pytest.raises(BundleError, match=r"shadow/intent/vocabulary\.json was altered"):
        stage_bundles(source, target)
