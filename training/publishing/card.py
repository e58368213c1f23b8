"""The model card: intended use, training data, metrics, and how to serve the model."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from export.model import WEIGHTS
from handler.outputs import CategoryOutput, OutputFeature, SequenceOutput
from training.publishing.contents import MODEL, Contents, weights_of

if TYPE_CHECKING:
    from huggingface_hub import ModelCardData

TEMPLATE = Path(__file__).with_name("card.md.jinja")
SHOWN_LABELS = 40
TEXT_TASK, TOKEN_TASK = "text-classification", "token-classification"
TASKS = {"category": TEXT_TASK, "sequence": TOKEN_TASK}
TAGS = ["ludwig", "ludwig-serverless", "hexabot", "nlu"]


@dataclass(frozen=True, kw_only=True)
class About:
    """Facts about a model that only its author knows.

    Attributes:
        license: License identifier of the Hub, such as cc-by-4.0.
        languages: ISO 639 codes of the utterances' languages.
    """

    license: str | None = None
    languages: tuple[str, ...] = ()


@dataclass(frozen=True)
class Metric:
    """A metric from the training record.

    Attributes:
        output: Name of the output feature.
        name: Name of the metric.
        value: Its value.
        task: The Hub's name of the task.
    """

    output: str
    name: str
    value: float
    task: str


def render_card(contents: Contents, about: About, *, title: str, uri: str, version: str) -> bytes:
    """Return the card of a version, as Markdown with the Hub's metadata header.

    Args:
        contents: What is published.
        about: The author's facts about the model.
        title: Name of the model.
        uri: URI of the version, from which the handler serves it.
        version: Name of the version.

    Returns:
        The card, UTF-8.
    """
    from jinja2 import Environment, StrictUndefined, select_autoescape

    environment = Environment(undefined=StrictUndefined, autoescape=select_autoescape(), keep_trailing_newline=True)
    environment.filters["cell"] = _cell
    text = environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(
        title=title,
        uri=uri,
        version=version,
        manifest=contents.manifest,
        record=contents.record or {},
        metrics=metrics_of(contents),
        outputs=[_described(output) for output in contents.manifest.outputs] if contents.manifest else [],
        own_rows=contents.own_rows,
        has_model=f"{MODEL}/{WEIGHTS}" in contents.files,
        provenance=_provenance(contents),
    )
    return f"---\n{_metadata(contents, about, title).to_yaml()}\n---\n\n{text}".encode()


def metrics_of(contents: Contents) -> list[Metric]:
    """Return the metrics of the training record, in the record's order."""
    record = contents.record or {}
    features = record.get("config", {}).get("output_features", [])
    tasks = {feature["name"]: TASKS.get(feature["type"], TEXT_TASK) for feature in features}
    return [
        Metric(output, name, float(value), tasks.get(output, TEXT_TASK))
        for output, values in record.get("metrics", {}).items()
        for name, value in values.items()
        if isinstance(value, int | float)
    ]


def license_of(contents: Contents, about: About) -> str | None:
    """Return the Hub's identifier of the license: the author's, or else the bundle's."""
    name = about.license or (contents.manifest.provenance.license if contents.manifest else None)
    return name.lower() if name else None


def _metadata(contents: Contents, about: About, title: str) -> "ModelCardData":
    from huggingface_hub import EvalResult, ModelCardData

    results = [
        EvalResult(
            task_type=metric.task,
            dataset_type="private",
            dataset_name="the training's own split",
            metric_type=metric.name,
            metric_value=metric.value,
            metric_name=f"{metric.output} {metric.name}",
        )
        for metric in metrics_of(contents)
    ]
    return ModelCardData(
        language=list(about.languages) or None,
        license=license_of(contents, about),
        library_name="ludwig",
        tags=TAGS + (["onnx"] if contents.manifest and contents.manifest.graph.format == "onnx" else []),
        pipeline_tag=_task(contents),
        model_name=title,
        eval_results=results or None,
    )


def _task(contents: Contents) -> str:
    """Return the Hub's name of the model's task: token classification if every output is a sequence."""
    kinds = {feature["type"] for feature in (contents.record or {}).get("config", {}).get("output_features", [])}
    if contents.manifest:
        kinds = {"sequence" if isinstance(output, SequenceOutput) else "trait" for output in contents.manifest.outputs}
    return TOKEN_TASK if kinds == {"sequence"} else TEXT_TASK


def _described(output: OutputFeature) -> dict[str, Any]:
    labels = list(_labels(output))
    return {"name": output.name, "labels": labels, "shown": [f"`{label}`" for label in labels[:SHOWN_LABELS]]}


def _labels(output: OutputFeature) -> Iterator[str]:
    """Yield the labels of the dataset, without Ludwig's special symbols."""
    if isinstance(output, CategoryOutput | SequenceOutput):
        special = set(getattr(output, "special_labels", ())) | {"<UNK>"}
        yield from (label for label in output.labels if label not in special)


def _provenance(contents: Contents) -> dict[str, str]:
    found: dict[str, str | None] = {"weights (SHA-256)": weights_of(contents)}
    if contents.manifest:
        made = contents.manifest.provenance
        found |= {
            "Ludwig": made.ludwig_version,
            "exported": made.exported_at,
            "exported with": f"ludwig-serverless {made.exporter_version}",
        }
    if contents.record:
        found |= {name: str(contents.record[name]) for name in ("seed", "seconds") if name in contents.record}
    return {name: value for name, value in found.items() if value}


def _cell(value: object) -> str:
    """Return a value escaped for a cell of a Markdown table."""
    return str(value).replace("|", "\\|").replace("\n", " ")
