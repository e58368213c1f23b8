"""Digests of files and folders."""

import hashlib
from pathlib import Path

from training.digest import file_digest
from training.imports.options import ImportOptions
from training.pipeline import Pipeline


def test_the_digest_of_a_file_is_its_sha_256(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"content")
    assert file_digest(tmp_path / "a") == hashlib.sha256(b"content").hexdigest()


def test_the_digest_of_a_folder_follows_names_and_contents(tmp_path: Path) -> None:
    (tmp_path / "agent" / "intents").mkdir(parents=True)
    (tmp_path / "agent" / "intents" / "fly.json").write_text("[]")
    first = file_digest(tmp_path / "agent")
    assert file_digest(tmp_path / "agent") == first
    (tmp_path / "agent" / "intents" / "fly.json").rename(tmp_path / "agent" / "intents" / "stay.json")
    second = file_digest(tmp_path / "agent")
    (tmp_path / "agent" / "intents" / "stay.json").write_text("[1]")
    assert len({first, second, file_digest(tmp_path / "agent")}) == 3


def test_train_accepts_a_folder_as_import_does(tmp_path: Path) -> None:
    """Dialogflow's export may be unpacked."""
    (tmp_path / "agent").mkdir()
    (tmp_path / "agent" / "agent.json").write_text("{}")
    pipeline = Pipeline([tmp_path / "agent"], tmp_path / "bundles", tmp_path / "runs", ImportOptions())
    assert file_digest(tmp_path / "agent") in pipeline._key()
