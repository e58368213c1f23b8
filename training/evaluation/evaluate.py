"""Run an evaluation and write its folder: predictions, metrics, plots and report."""

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from export.console import say
from training.baseline import compare
from training.config import Config, columns, text_column
from training.errors import EvaluationError
from training.evaluation.answers import Predict, Records, answer_rows
from training.evaluation.compared import COMPARED, compare_evaluations
from training.evaluation.languages import answered_with, text_read
from training.evaluation.metrics import SCHEMA, Metrics, category_metrics, slot_metrics
from training.evaluation.taggers import Taggers
from training.evaluation.thresholds import measure, refused

if TYPE_CHECKING:
    import pandas as pd

FOLDER, METRICS, PREDICTIONS = "evaluation", "metrics.json", "predictions.jsonl"
MEASURED = {"category", "sequence"}


@dataclass(frozen=True)
class EvaluationSource:
    """The model and the rows that an evaluation measures.

    Attributes:
        rows: A description of the rows, for the report.
        model: Name of the model.
        temperatures: Temperature of each calibrated category, by output.
        known: Labels that the model can predict, by category.
        ludwig: Ludwig's own metrics, by output (see `metrics.py`).
        learning: Learning curves, or None if the training is unknown (see `metrics.py`).
        taggers: Tagger of each slot output.
        baselines: The baseline's prediction for each row, by output.
        choice: How the configuration was chosen (see `training/choice/comparing.py`).
    """

    rows: str
    model: str
    temperatures: Mapping[str, float] = field(default_factory=dict)
    known: Mapping[str, list[str]] = field(default_factory=dict)
    ludwig: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    learning: Metrics | None = None
    taggers: Taggers = field(default_factory=dict)
    baselines: Mapping[str, Sequence[str]] = field(default_factory=dict)
    choice: Metrics | None = None


def evaluate(
    predict: Predict,
    config: Config,
    rows: "pd.DataFrame",
    folder: Path,
    source: EvaluationSource,
    *,
    thresholds: Mapping[str, Any] | None = None,
    outside: "pd.DataFrame | None" = None,
) -> Metrics:
    """Run a model on labeled rows and write the evaluation into a folder, including the report.

    Args:
        predict: Runs the model on rows.
        config: The model's configuration, with Ludwig's defaults filled in.
        rows: Labeled rows.
        folder: Where to write the evaluation; created if missing.
        source: The model and the rows, as the report describes them.
        thresholds: Fitted thresholds by output (see `thresholds.py`).
        outside: Out-of-scope rows to measure the thresholds on.

    Returns:
        The metrics, as `metrics.json` holds them (see `metrics.py`).
    """
    records = answer_rows(predict, config, rows, source.temperatures, source.taggers)
    found = [] if outside is None or outside.empty else answer_rows(predict, config, outside)
    return evaluate_records(records, config, folder, source, thresholds=thresholds, out_of_scope_rows=found)


def evaluate_records(
    records: Records,
    config: Config,
    folder: Path,
    source: EvaluationSource,
    *,
    thresholds: Mapping[str, Any] | None = None,
    out_of_scope_rows: Records | None = None,
) -> Metrics:
    """Evaluate a model's predictions and write the evaluation into a folder, including the report.

    Args:
        records: Result of `answer_rows`, including the expected labels.
        config: The model's configuration, with Ludwig's defaults filled in.
        folder: Where to write the evaluation; created if missing.
        source: The model and the rows, as the report describes them.
        thresholds: Fitted thresholds to measure, by output.
        out_of_scope_rows: Predictions for out-of-scope rows.

    Returns:
        The metrics (see `metrics.py`).
    """
    out_of_scope_rows = out_of_scope_rows or []
    metrics: Metrics = {
        "schema": SCHEMA,
        "source": source.rows,
        "rows": len(records),
        "model": source.model,
        "inputs": columns(config, "input_features"),
        "text": text_column(config),
        "outputs": {
            feature["name"]: _measured(feature, records, source)
            for feature in config["output_features"]
            if feature["type"] in MEASURED and {feature["name"], f"{feature['name']}_probability"} <= records[0].keys()
        },
        "ludwig": source.ludwig,
        "learning": source.learning,
        "thresholds": _with_test(thresholds or {}, records, out_of_scope_rows, text_read(config)),
        **({"choice": source.choice} if source.choice else {}),
    }
    with_outside = [
        name for name, found in metrics["thresholds"].items() if out_of_scope_rows and "evidence" not in found
    ]
    for name in with_outside:
        for point in metrics["outputs"][name]["coverage"]:
            rejected = metrics["thresholds"][name].get("rejected", ())
            point["refused"] = refused(out_of_scope_rows, name, point["threshold"], rejected)
    _write(folder, metrics, records)
    draw(folder)
    return metrics


def draw(folder: Path) -> Path:
    """Draw the plots of an evaluation and write its report.

    Args:
        folder: The folder of an evaluation.

    Returns:
        Path of the report.

    Raises:
        EvaluationError: The folder does not contain an evaluation, or the evaluation is corrupt.
    """
    from training.evaluation.report import write_report

    metrics, records = read_evaluation(folder)
    return write_report(folder, metrics, records)


def compare_with(folder: Path, before: Path) -> Metrics:
    """Compare an evaluation with an earlier one, store the comparison in its metrics, and write its report again.

    Args:
        folder: The folder of the new evaluation.
        before: The folder of the earlier evaluation.

    Returns:
        The comparison (see `compared.py`).

    Raises:
        EvaluationError: A folder does not contain an evaluation, or the two have no output in common.
    """
    metrics, records = read_evaluation(folder)
    compared = compare_evaluations(read_evaluation(before), (metrics, records))
    if not compared["outputs"]:
        raise EvaluationError(
            f"{before} measures other outputs than {folder}, so there is nothing to compare: give a run that predicts "
            f"one of {sorted(metrics['outputs'])}."
        )
    _write(folder, metrics | {COMPARED: compared}, records)
    draw(folder)
    for name, found in compared["outputs"].items():
        say(
            f"{name}: {found['metric']} {found['now']:.1%}; {compared['model']} had {found['before']:.1%}. Of "
            f"{found['shared']} messages in both evaluations, {len(found['fixed'])} became right and "
            f"{len(found['broken'])} became wrong."
        )
    return compared


def compare_with_replaced(run: Path, replaced: Path) -> None:
    """Compare a new run with the run that it replaces, if there is one whose evaluation can be read and compared.

    Args:
        run: The folder of the new run.
        replaced: The folder of the earlier run, which may not exist.
    """
    if (replaced / FOLDER).is_dir():
        with suppress(EvaluationError):
            compare_with(run / FOLDER, replaced / FOLDER)


def read_evaluation(folder: Path) -> tuple[Metrics, Records]:
    """Return the metrics and the predictions of an evaluation.

    Raises:
        EvaluationError: They are missing, corrupt or of another schema.
    """
    try:
        metrics = json.loads((folder / METRICS).read_text(encoding="utf-8"))
        lines = (folder / PREDICTIONS).read_text(encoding="utf-8").split("\n")
        records = [json.loads(line) for line in lines if line]
    except OSError as error:
        raise EvaluationError(
            f"{folder} does not contain an evaluation: cannot read {Path(error.filename).name} ({error.strerror}). "
            "Give the folder of a run, or one that `ludwig-serverless evaluate` wrote."
        ) from None
    except ValueError as error:
        raise EvaluationError(
            f"The evaluation in {folder} is corrupt: {error}. Run `ludwig-serverless evaluate` again."
        ) from None
    if not isinstance(metrics, dict) or metrics.get("schema") != SCHEMA:
        raise EvaluationError(
            f"{folder / METRICS} does not use schema {SCHEMA}: run `ludwig-serverless evaluate` again."
        )
    return metrics, records


def _measured(feature: Mapping[str, Any], records: Records, source: EvaluationSource) -> Metrics:
    name = feature["name"]
    expected, predicted = ([record[column] for record in records] for column in (name, f"{name}_predictions"))
    if feature["type"] == "sequence":
        right = [_joined(tags) for tags in expected]
        found = slot_metrics(right, [_joined(tags) for tags in predicted])
        if name in source.taggers and source.taggers[name].decoder:
            found["argmax_f1"] = slot_metrics(right, [record[f"{name}_argmax"] for record in records])["f1"]
        return found
    metrics = category_metrics(
        expected,
        predicted,
        [record[f"{name}_probability"] for record in records],
        source.known.get(name),
        source.temperatures.get(name),
        [record[f"{name}_uncalibrated"] for record in records] if name in source.temperatures else None,
    )
    if name in source.baselines:
        metrics["baseline"] = compare(expected, predicted, source.baselines[name])
    if unknown := metrics["unanswerable"]:
        say(f"{unknown} of {len(records)} rows have a label in {name!r} that the model was not trained on.")
    return metrics


def _with_test(thresholds: Mapping[str, Any], records: Records, outside: Records, text: str | None) -> dict[str, Any]:
    """Return the thresholds with their measurements on these rows. text: input column of the language."""
    measured = {
        name: measure(answered_with(name, found, records, outside, text), found) for name, found in thresholds.items()
    }
    return {
        name: found | {"measured": {**found["measured"], "test": measured[name]}} for name, found in thresholds.items()
    }


def _joined(tags: Any) -> str:
    return tags if isinstance(tags, str) else " ".join(map(str, tags or ()))


def _write(folder: Path, metrics: Metrics, records: Records) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    content = json.dumps(metrics, indent=1, ensure_ascii=False)
    (folder / METRICS).write_text(content + "\n", encoding="utf-8", errors="backslashreplace")
    lines = [json.dumps(record, ensure_ascii=False) for record in records]
    (folder / PREDICTIONS).write_text("\n".join(lines) + "\n", encoding="utf-8", errors="backslashreplace")
