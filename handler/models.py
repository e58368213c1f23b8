"""Describe the loaded models: the answer of `GET /models`."""

from collections.abc import Mapping
from typing import Any, TypedDict

from handler import __version__
from handler.decoding import BEGIN, INSIDE
from handler.entities import has_slots
from handler.hexabot import Service
from handler.outputs import CategoryOutput, SequenceOutput
from handler.predictor import Predictor
from handler.settings import Settings
from handler.thresholds import Thresholds
from handler.understanding import role_of


class ModelInput(TypedDict):
    """An input of a model.

    Attributes:
        column: The name of the value that it reads. A model with one input also reads `text`.
        type: The type of the input, such as `text`.
    """

    column: str
    type: str


class ModelOutput(TypedDict):
    """An output of a model.

    Attributes:
        name: The output's name.
        key: Its key in the compact answer, such as `intent`; for slots `entities`.
        type: The type of the output, such as `category`; for slots `slots`.
        labels: The labels that it can answer, or the names of its slots; empty for other types.
        thresholds: The confidence that an answer needs; null if every answer counts.
        evidence: Whether the text must also contain evidence of the label, which is a language.
    """

    name: str
    key: str
    type: str
    labels: list[str]
    thresholds: Thresholds | None
    evidence: bool


class Model(TypedDict):
    """A loaded bundle.

    Attributes:
        name: The model's name in requests and answers.
        seal: The SHA-256 of its manifest: another seal is another model.
        exported_at: The time of the export, ISO 8601.
        inputs: What the model reads.
        outputs: What it answers.
    """

    name: str
    seal: str
    exported_at: str
    inputs: list[ModelInput]
    outputs: list[ModelOutput]


class Models(TypedDict):
    """What a service has loaded.

    Attributes:
        version: The version of ludwig-serverless.
        default_language: The language of the answer if no model is sure of one.
        max_text_characters: The longest text in a request.
        max_batch_rows: The most rows in one batch.
        docs: Whether the service answers `GET /docs` with the description of its API.
        compare: Whether the service has other bundles to compare with, under `/compare`.
        models: The loaded bundles.
    """

    version: str
    default_language: str
    max_text_characters: int
    max_batch_rows: int
    docs: bool
    compare: bool
    models: list[Model]


def describe(service: Service, settings: Settings, *, compare: bool) -> Models:
    """Describe what a service has loaded.

    Args:
        service: The loaded models.
        settings: The limits and the default language.
        compare: Whether there are other bundles under `/compare`.

    Returns:
        The answer of `GET /models`.
    """
    return {
        "version": __version__,
        "default_language": settings.default_language,
        "max_text_characters": settings.max_text_characters,
        "max_batch_rows": settings.max_batch_rows,
        "docs": settings.docs,
        "compare": compare,
        "models": _models(service.predictors),
    }


def _models(predictors: Mapping[str, Predictor]) -> list[Model]:
    return [
        {
            "name": name,
            "seal": predictor.manifest.seal,
            "exported_at": predictor.manifest.provenance.exported_at,
            "inputs": [{"column": each.column, "type": _type(each)} for each in predictor.manifest.inputs],
            "outputs": [_output(predictor, each) for each in predictor.manifest.outputs],
        }
        for name, predictor in predictors.items()
    ]


def _output(predictor: Predictor, output: Any) -> ModelOutput:
    category = output if isinstance(output, CategoryOutput) else None
    slots = isinstance(output, SequenceOutput) and has_slots(output)
    return {
        "name": output.name,
        "key": "entities" if slots else role_of(predictor, output),
        "type": "slots" if slots else _type(output),
        "labels": _slot_names(output) if slots else list(getattr(output, "labels", None) or ()),
        "thresholds": category.thresholds if category else None,
        "evidence": category is not None and category.evidence is not None,
    }


def _slot_names(output: SequenceOutput) -> list[str]:
    tags = (label for label in output.labels if label.startswith((BEGIN, INSIDE)))
    return sorted({tag[len(BEGIN) :] for tag in tags})


def _type(feature: Any) -> str:
    """Return the type of an input or output, as the manifest names it."""
    return str(feature.__struct_config__.tag)
