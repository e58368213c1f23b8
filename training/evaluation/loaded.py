"""A model that was trained before, loaded again to answer new rows or to be measured on them."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from export.console import say
from export.decoding import DECODING
from export.labels import clean_label, clean_labels
from export.model import SourceModel, load_model
from export.rows import readable_rows
from export.thresholds import THRESHOLDS
from handler.decoding import SlotDecoder
from training.config import SPLIT, Config, columns
from training.errors import DatasetError, EvaluationError
from training.evaluation.answers import answer_rows
from training.evaluation.calibration import temperatures
from training.evaluation.evaluate import Source, evaluate
from training.evaluation.metrics import Metrics
from training.evaluation.taggers import taggers_of
from training.evaluation.trained import known_labels, slot_decoders, with_logits

if TYPE_CHECKING:
    import pandas as pd


def ask(path: Path, rows: "pd.DataFrame", *, allow_pickle: bool = False) -> "pd.DataFrame":
    """Return rows with a model's answers beside them. Raises DatasetError if they lack what the model reads."""
    import pandas as pd

    model = load_model(path, allow_pickle=allow_pickle)
    inputs, outputs = (columns(model.config, section) for section in ("input_features", "output_features"))
    rows = _with_columns(rows, model.config, inputs)
    decoders = _decoders(model)
    taggers = taggers_of(model.config, model.metadata, decoders)
    predict = with_logits(model.ludwig_model, decoders, model.predict)
    answers = pd.DataFrame(answer_rows(predict, model.config, rows, taggers=taggers))
    left = (*inputs, *outputs, *(f"{name}_argmax" for name in decoders))
    answers = answers.drop(columns=[name for name in left if name in answers])
    rows = rows.drop(columns=[name for name in answers if name in rows]).reset_index(drop=True)
    return pd.concat([rows, answers], axis=1)


def evaluate_file(path: Path, rows: "pd.DataFrame", folder: Path, name: str, *, allow_pickle: bool = False) -> Metrics:
    """Measure a model on labelled rows, into a folder. Returns the metrics.

    name: of the rows, for the report. Raises DatasetError if columns or labels are missing.
    """
    model = load_model(path, allow_pickle=allow_pickle)
    rows = clean_labels(_with_columns(rows, model.config, columns(model.config, "input_features")), model.config)
    labels = columns(model.config, "output_features")
    present = [column for column in labels if column in rows]
    if not present:
        raise DatasetError(f"The rows have the columns {list(rows.columns)}; none of {labels} to measure the model by.")
    thresholds = _thresholds(model)
    out_of_scope_rows = {clean_label(found["fitted"]["out_of_scope"] or "") for found in thresholds.values()} - {""}
    outside = rows[present].isin(out_of_scope_rows).any(axis=1)
    labelled = rows[present].notna().all(axis=1) & (rows[present] != "").all(axis=1) & ~outside
    if left := int((~labelled & ~outside).sum()):
        say(f"Left out {left} of {len(rows)} rows: no value in {' or '.join(present)}.")
    if not labelled.any():
        raise DatasetError(f"No row has a value in {' and '.join(present)}: there is nothing to measure the model by.")
    decoders = _decoders(model)
    source = Source(
        rows=name,
        model=_name(path),
        temperatures=temperatures(model.ludwig_model),
        known=known_labels(model.config, model.metadata),
        taggers=taggers_of(model.config, model.metadata, decoders),
    )
    return evaluate(
        with_logits(model.ludwig_model, decoders, model.predict),
        model.config,
        rows[labelled].drop(columns=SPLIT, errors="ignore").reset_index(drop=True),
        folder,
        source,
        thresholds={output: found for output, found in thresholds.items() if output in present},
        outside=rows[outside].reset_index(drop=True),
    )


def _with_columns(rows: "pd.DataFrame", config: Config, needed: Sequence[str]) -> "pd.DataFrame":
    rows = readable_rows(rows, [*config["input_features"], *config["output_features"]])
    if missing := [column for column in needed if column not in rows]:
        raise DatasetError(f"The rows have the columns {list(rows.columns)}; the model also reads {missing}.")
    return rows


def _decoders(model: SourceModel) -> dict[str, SlotDecoder]:
    """Return the decoders of the outputs that the run's record says are decoded."""
    recorded = (model.training or {}).get(DECODING) or {}
    decoders = slot_decoders(model.config, model.metadata)
    return {name: decoder for name, decoder in decoders.items() if recorded.get(name) == "viterbi"}


def _thresholds(model: SourceModel) -> dict[str, Any]:
    """Return what `thresholds.json` beside the model holds, without what it was measured on."""
    path = model.folder.parent / THRESHOLDS
    if not path.is_file():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return {
            name: {
                "default": each["default"],
                "by_label": each.get("by_label", {}),
                "fitted": each["fitted"],
                **({"evidence": each["evidence"]} if "evidence" in each else {}),
                "measured": {},
            }
            for name, each in found.items()
        }
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise EvaluationError(
            f"{path} is broken ({error!r}): mend it, or delete it to go without thresholds."
        ) from None


def _name(path: Path) -> str:
    folder = path.resolve()
    return folder.parent.name if folder.name == "model" else folder.name
