"""Models that cannot be reproduced are refused before any work, with an alternative."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from export.build import check_target, export_model
from export.encoders import REFUSED
from export.errors import ExportError, UnsupportedError
from export.inputs import describe_inputs
from export.model import SourceModel
from export.outputs import describe_outputs
from export.text import SPLITTING, TRAINABLE

OLD_MANIFEST = '{"schema_version": 0}'
SYMBOLS = ["<EOS>", "<SOS>", "<PAD>", "<UNK>"]


def text_metadata(**preprocessing: Any) -> dict[str, Any]:
    """Return Ludwig's metadata of a text feature."""
    return {
        "idx2str": [*SYMBOLS, "fly"],
        "str2idx": {word: index for index, word in enumerate([*SYMBOLS, "fly"])},
        "max_sequence_length": 8,
        "preprocessing": {
            "tokenizer": "space",
            "lowercase": False,
            "padding": "right",
            "padding_symbol": "<PAD>",
            "unknown_symbol": "<UNK>",
            "missing_value_strategy": "fill_with_const",
            "computed_fill_value": "",
            **preprocessing,
        },
    }


def model(
    text: dict[str, Any] | None = None,
    output: dict[str, Any] | None = None,
    architecture: str | None = None,
    **preprocessing: Any,
) -> SourceModel:
    """Return a model that consists only of its description."""
    source = {"name": "text", "column": "text", "type": "text", **(text or {})}
    target = {"name": "intent", "column": "intent", "type": "category", "decoder": {"type": "classifier"}}
    target |= output or {}
    return SourceModel(
        folder=Path("unused"),
        ludwig_model=None,  # type: ignore[arg-type]
        config={"input_features": [source], "output_features": [target]},
        metadata={"text": text_metadata(**preprocessing), "intent": text_metadata()},
        ludwig_version="0.17.10",
        weights_sha256="0" * 64,
        training=None,
        architectures={"text": architecture} if architecture else {},
    )


REFUSALS: dict[str, tuple[Callable[[], SourceModel], str, str, str]] = {
    "input type": (
        lambda: model({"type": "image"}),
        "text",
        "inputs of type 'image'",
        "Supported types: text, sequence",
    ),
    "audio": (lambda: model({"type": "audio"}), "text", "inputs of type 'audio'", "Supported types: text, sequence"),
    "time series": (
        lambda: model({"type": "timeseries"}),
        "text",
        "inputs of type 'timeseries'",
        "Supported types: text, sequence",
    ),
    "places on a map": (
        lambda: model({"type": "h3"}),
        "text",
        "inputs of type 'h3'",
        "Supported types: text, sequence",
    ),
    "output type": (
        lambda: model(output={"type": "image"}),
        "intent",
        "outputs of type 'image' are not supported",
        "Supported types: category",
    ),
    "generator": (
        lambda: model(output={"type": "sequence", "decoder": {"type": "generator"}}),
        "intent",
        "its decoder 'generator' generates a sequence token by token",
        "Train with `decoder: {type: tagger}` and an encoder with `reduce_output: null`",
    ),
    "transformer that generates": (
        lambda: model(output={"type": "text", "decoder": {"type": "transformer_generator"}}),
        "intent",
        "its decoder 'transformer_generator' generates a sequence token by token",
        "Train with `decoder: {type: tagger}` and an encoder with `reduce_output: null`",
    ),
    "time series to come": (
        lambda: model(output={"type": "timeseries", "decoder": {"type": "projector"}}),
        "intent",
        "outputs of type 'timeseries' are not supported",
        "Supported types: category",
    ),
    "anomaly": (
        lambda: model(output={"type": "anomaly", "decoder": {"type": "anomaly"}}),
        "intent",
        "outputs of type 'anomaly' are not supported",
        "Supported types: category",
    ),
    "spacy": (
        lambda: model(tokenizer="english_tokenize"),
        "text",
        "its tokenizer 'english_tokenize' cannot be reproduced without Ludwig",
        f"Train with one of {', '.join(TRAINABLE)}",
    ),
    "cached embeddings": (
        lambda: model(cache_encoder_embeddings=True),
        "text",
        "its encoder's embeddings were cached before training",
        "Train with `cache_encoder_embeddings: false`",
    ),
    "prompt": (
        lambda: model(prompt={"template": "Say {text}"}),
        "text",
        "its text is wrapped in a prompt template",
        "Train without `prompt`",
    ),
    "longformer": (
        lambda: model({"encoder": {"type": "longformer"}}),
        "text",
        f"its encoder 'longformer' {REFUSED['longformer'][0]}",
        "Train with another architecture, such as `distilbert`",
    ),
    **{
        f"auto_transformer, {architecture}": (
            lambda architecture=architecture: model(
                {"encoder": {"type": "auto_transformer"}}, architecture=architecture
            ),
            "text",
            f"its encoder {architecture!r} {REFUSED[architecture][0]}",
            "Train with another architecture, such as `distilbert`",
        )
        for architecture in ("longformer", "fnet", "yoso", "bloom")
    },
    "jamba": (
        lambda: model({"encoder": {"type": "jamba"}}),
        "text",
        "its encoder 'jamba' reads the padding instead of the words",
        "Train with the encoder `mamba2` or `transformer`",
    ),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_a_refusal_names_the_feature_the_reason_and_the_advice(case: str, tmp_path: Path) -> None:
    make, feature, reason, advice = REFUSALS[case]
    with pytest.raises(UnsupportedError) as caught:
        export_model(make(), tmp_path / "new" / "bundle")
    message = str(caught.value)
    assert message.startswith(f"Feature {feature!r} cannot be exported: {reason}")
    assert f". {advice}" in message
    assert message.endswith(".")
    assert not (tmp_path / "new" / "bundle").exists()
    assert list((tmp_path / "new").iterdir()) == []


def test_a_refused_model_keeps_the_old_bundle(tmp_path: Path) -> None:
    bundle = tmp_path / "bundle"
    bundle.mkdir()
    (bundle / "manifest.json").write_text(OLD_MANIFEST)
    with pytest.raises(UnsupportedError):
        export_model(model({"type": "image"}), bundle, force=True)
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]
    assert (bundle / "manifest.json").read_text() == OLD_MANIFEST


def test_the_manifest_of_another_program_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text('{"name": "a web app"}')
    with pytest.raises(ExportError, match="exists and is not a bundle"):
        check_target(tmp_path, force=True)


@pytest.mark.parametrize("place", [".", ".."])
def test_the_working_directory_is_not_replaced(place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ExportError, match=r"contains the working directory: give a new folder"):
        check_target(Path(place), force=True)


@pytest.mark.parametrize("tokenizer", sorted(SPLITTING))
def test_advised_alternatives_are_not_refused(tokenizer: str, tmp_path: Path) -> None:
    described = model(tokenizer=tokenizer, prompt={"template": None}, cache_encoder_embeddings=False)
    (feature,) = describe_inputs(described, tmp_path)
    assert feature.files == ["vocabulary-0.json"]
    (output,) = describe_outputs(described, [feature])
    assert output.name == "intent"


@pytest.mark.parametrize("length", [8, 9], ids=["as long", "longer"])
def test_tags_are_aligned_with_the_text_of_their_length(length: int, tmp_path: Path) -> None:
    tagged = model(output={"type": "sequence", "decoder": {"type": "tagger"}})
    tagged.metadata["intent"]["max_sequence_length"] = length
    (output,) = describe_outputs(tagged, describe_inputs(tagged, tmp_path))
    assert getattr(output, "aligned_with", "") == ("text" if length == 8 else None)
