"""Evaluate a newly trained model: fit its thresholds and measure it on rows that it was not trained on."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

from export.console import say
from export.features import column_of, is_tagger, tagged_text
from export.labels import clean_label
from export.outputs import SPECIAL_LABELS
from handler.decoding import SlotDecoder, is_bio
from handler.evidence import Evidence
from handler.unsure import LANGUAGE
from training.baseline import baseline_answers, labels_of, warning, warning_about_slots
from training.config import SPLIT, Config
from training.dataset import TEST, TRAIN, VALIDATION
from training.evaluation.answers import answer_rows
from training.evaluation.calibration import temperatures
from training.evaluation.crossed import Crossed
from training.evaluation.evaluate import FOLDER, EvaluationSource, evaluate, evaluate_records
from training.evaluation.languages import answered_with, fit_language, learn_evidence, text_read
from training.evaluation.metrics import Metrics, summary
from training.evaluation.predictions import predictions_of, with_logits
from training.evaluation.taggers import taggers_of
from training.evaluation.thresholds import Answered, ThresholdOptions, fit_thresholds, measure
from training.progress import MAIN_METRIC
from training.slots import ludwig_rows
from training.workspace import MODEL, PROGRESS

if TYPE_CHECKING:
    import pandas as pd
    from ludwig.api import LudwigModel

ROWS_OF = {
    TEST: "the test split, which was not used for training",
    VALIDATION: "the validation split, because there is no test split; training used it to choose the best epoch, so "
    "the results are slightly optimistic",
}

OVER_PADDING = ("sequence_accuracy", "perplexity", "next_token_perplexity")
"""Ludwig's sequence metrics that include padding positions. A tagger's predictions there are arbitrary, so that no row
counts as correct. Source: `SequenceAccuracyMetric` in `ludwig.modules.metric_modules`."""


@dataclass(frozen=True)
class Training:
    """A trained model and everything needed to evaluate it.

    Attributes:
        model: The trained model.
        config: Its configuration, with Ludwig's defaults filled in.
        rows: The dataset, with one tag per word for slots, and a column `split`.
        outside: Out-of-scope rows, also with a column `split`.
        seconds: Duration of the training.
        decoders: Decoder of each slot output, by output name.
    """

    model: "LudwigModel"
    config: Config
    rows: "pd.DataFrame"
    outside: "pd.DataFrame"
    seconds: float
    decoders: Mapping[str, SlotDecoder] = field(default_factory=dict)

    def part(self, part: int) -> "pd.DataFrame":
        """Return the rows of a split."""
        return _part(self.rows, part)

    def outside_part(self, part: int) -> "pd.DataFrame":
        """Return the out-of-scope rows of a split."""
        return _part(self.outside, part)


def evaluate_training(
    training: Training, run: Path, name: str, thresholds: Mapping[str, Any], crossed: Crossed | None = None
) -> Metrics:
    """Evaluate a model on rows that it was not trained on, and write the evaluation into the run's folder.

    Args:
        training: The trained model and its rows. The test split is used, or else the validation split.
        run: The run's folder.
        name: Name of the model, for the report.
        thresholds: Fitted thresholds, by output.
        crossed: Cross-validated predictions, which are measured if there is no test split.

    Returns:
        The metrics (see `metrics.py`).
    """
    part = TEST if (training.rows[SPLIT] == TEST).any() else VALIDATION
    if crossed is not None and part == VALIDATION:
        return _evaluate_crossed(training, run, name, thresholds, crossed)
    rows = training.part(part)
    say(f"Evaluating on {len(rows)} rows ...")
    found, _, _ = training.model.evaluate(
        dataset=ludwig_rows(training.config, rows), skip_save_eval_stats=True, skip_save_predictions=True
    )
    source = EvaluationSource(
        rows=ROWS_OF[part],
        model=name,
        temperatures=temperatures(training.model),
        known=known_labels(training.config, training.model.training_set_metadata),
        ludwig={
            feature["name"]: _numbers(feature, found[feature["name"]]) for feature in training.config["output_features"]
        },
        learning=_learning(training.config, run),
        taggers=taggers_of(training.config, training.model.training_set_metadata, training.decoders),
        baselines={
            name: baseline_answers(training.config, name, training.part(TRAIN), rows)
            for name in labels_of(training.config)
        },
        choice=crossed.choice if crossed else None,
    )
    outside = training.outside_part(TEST)
    metrics = evaluate(
        with_logits(training.model, training.decoders, predictions_of(training.model)),
        training.config,
        rows,
        run / FOLDER,
        source,
        thresholds=thresholds,
        outside=outside,
    )
    tell_warnings(metrics)
    return metrics


def _evaluate_crossed(
    training: Training, run: Path, name: str, thresholds: Mapping[str, Any], crossed: Crossed
) -> Metrics:
    """Evaluate cross-validated predictions, which models of the folds made for rows outside their training."""
    source = EvaluationSource(
        rows=crossed.description,
        model=name,
        temperatures=crossed.temperatures,
        known=known_labels(training.config, training.model.training_set_metadata),
        ludwig={feature["name"]: {} for feature in training.config["output_features"]},
        learning=_learning(training.config, run),
        taggers=taggers_of(training.config, training.model.training_set_metadata, training.decoders),
        baselines=crossed.baselines,
        choice=crossed.choice,
    )
    outside = training.outside_part(TEST)
    found = [] if outside.empty else answer_rows(predictions_of(training.model), training.config, outside)
    metrics = evaluate_records(
        crossed.records, training.config, run / FOLDER, source, thresholds=thresholds, out_of_scope_rows=found
    )
    tell_warnings(metrics)
    return metrics


def tell_warnings(metrics: Metrics) -> None:
    """Print a warning for each output that is not clearly better than its baseline, or that finds hardly any slots."""
    for name, found in metrics["outputs"].items():
        if "baseline" in found and (text := warning(name, found["baseline"])):
            say(text)
        if found.get("entities") and (text := warning_about_slots(name, found["f1"])):
            say(text)


def summaries(metrics: Metrics) -> dict[str, dict[str, float]]:
    """Return the metrics for the record of a run, by output: Ludwig's own and the key ones of the evaluation."""
    ours = {name: summary(found) for name, found in metrics["outputs"].items()}
    return {name: {**numbers, **ours.get(name, {})} for name, numbers in metrics["ludwig"].items()}


def thresholds_of(
    training: Training, options_of: Mapping[str, ThresholdOptions], crossed: Crossed | None = None
) -> dict[str, Any]:
    """Fit the thresholds of outputs on the validation split, including its out-of-scope rows.

    Args:
        training: The trained model and its rows.
        options_of: Target of the thresholds, by output.
        crossed: Cross-validated predictions to use instead of the validation split.

    Returns:
        The content of `thresholds.json` (see `thresholds.py`), measured on the validation split.
    """
    if not options_of:
        return {}
    predict, outside = predictions_of(training.model), training.outside_part(VALIDATION)
    records = crossed.records if crossed else answer_rows(predict, training.config, training.part(VALIDATION))
    out_of_scope_rows = [] if outside.empty else answer_rows(predict, training.config, outside)
    known = known_labels(training.config, training.model.training_set_metadata)
    fitted = {}
    for name, options in options_of.items():
        rejected = [label for label in known[name] if label == clean_label(options.out_of_scope or "")]
        unknown = out_of_scope_rows if options.out_of_scope else []
        found = Answered.read(name, records, unknown, options.softness, rejected)
        if name == LANGUAGE:
            fitted[name] = fit_language(found, options, _evidence(training))
        else:
            fitted[name] = fit_thresholds(found, options, rejected)
        text = text_read(training.config)
        measured = measure(answered_with(name, fitted[name], records, out_of_scope_rows, text), fitted[name])
        fitted[name]["measured"] = {"validation": measured}
        given, right = measured["coverage"] or 0, measured["accuracy"] or 0
        unsure = "counts as unsure unless its words are known" if name == LANGUAGE else "counts as unknown"
        say(
            f"{name}: an answer with a confidence below {fitted[name]['default']:.2f} {unsure}. On the "
            f"validation split, {given:.0%} of the rows get an answer, and {right:.1%} of the answers are correct."
        )
        if not fitted[name]["fitted"]["reached"]:
            say(f"{name}: no threshold reaches an accuracy of {options.accuracy:.0%}; this one comes closest.")
    return fitted


def _evidence(training: Training) -> Evidence:
    """Learn the evidence of each language from the training split."""
    rows, text = training.part(TRAIN), text_read(training.config)
    label = next(feature for feature in training.config["output_features"] if feature["name"] == LANGUAGE)
    texts = rows[text].map(lambda value: value if isinstance(value, str) else "")
    return learn_evidence(texts, rows[column_of(label)].map(str))


def slot_decoders(config: Config, metadata: Mapping[str, Any]) -> dict[str, SlotDecoder]:
    """Return a decoder for each output that tags the words of a text with BIO tags."""
    return {
        feature["name"]: SlotDecoder(labels)
        for feature in config["output_features"]
        if is_tagger(feature)
        and tagged_text(config) is not None
        and is_bio(set(labels := metadata[feature["name"]]["idx2str"]) - set(SPECIAL_LABELS))
    }


def known_labels(config: Config, metadata: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return the labels of each category."""
    names = [feature["name"] for feature in config["output_features"] if feature["type"] == "category"]
    return {name: list(metadata[name]["idx2str"]) for name in names}


def _learning(config: Config, run: Path) -> Metrics:
    """Return the loss and the main metric by epoch, as Ludwig recorded them."""
    statistics = json.loads((run / "training_statistics.json").read_text(encoding="utf-8"))
    progress = json.loads((run / MODEL / PROGRESS).read_text(encoding="utf-8"))
    learning: Metrics = {"best_epoch": int(progress["best_eval_metric_epoch"]), "outputs": {}}
    for feature in config["output_features"]:
        wanted = ["loss", MAIN_METRIC.get(feature["type"], "loss")]
        learning["outputs"][feature["name"]] = {
            part: {name: values for name, values in found.get(feature["name"], {}).items() if name in wanted and values}
            for part in ("training", "validation")
            if (found := statistics.get(part))
        }
    return learning


def _part(rows: "pd.DataFrame", part: int) -> "pd.DataFrame":
    return rows[rows[SPLIT] == part].drop(columns=SPLIT).reset_index(drop=True)


def _numbers(feature: Mapping[str, Any], metrics: Mapping[str, Any]) -> dict[str, float]:
    """Return the finite metrics of an output; for slots, without the metrics that include padding."""
    left = OVER_PADDING if is_tagger(feature) else ()
    numbers = {name: float(value) for name, value in metrics.items() if isinstance(value, (int, float))}
    return {name: value for name, value in numbers.items() if isfinite(value) and name not in left}
