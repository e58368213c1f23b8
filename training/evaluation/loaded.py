"""Load a trained model to predict new rows or to evaluate it on them."""

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
from training.evaluation.answers import SOFTENED, answer_rows
from training.evaluation.calibration import temperatures
from training.evaluation.evaluate import EvaluationSource, evaluate
from training.evaluation.metrics import Metrics
from training.evaluation.predictions import with_logits
from training.evaluation.taggers import taggers_of
from training.evaluation.trained import known_labels, slot_decoders

if TYPE_CHECKING:
    import pandas as pd


def ask(path: Path, rows: "pd.DataFrame", *, allow_pickle: bool = False) -> "pd.DataFrame":
    """Return the rows with a model's predictions as extra columns.

    Args:
        path: The folder of a run, or of a model that Ludwig wrote.
        rows: The rows to predict.
        allow_pickle: Whether to load pickled weights of an old Ludwig.

    Raises:
        DatasetError: The rows lack an input column of the model.
    """
    import pandas as pd

    model = load_model(path, allow_pickle=allow_pickle)
    inputs, outputs = (columns(model.config, section) for section in ("input_features", "output_features"))
    rows = _with_columns(rows, model.config, inputs)
    decoders = _decoders(model)
    taggers = taggers_of(model.config, model.metadata, decoders)
    predict = with_logits(model.ludwig_model, decoders, model.predict)
    answers = pd.DataFrame(answer_rows(predict, model.config, rows, taggers=taggers))
    names = [feature["name"] for feature in model.config["output_features"]]
    internal = (f"{name}_{suffix}" for name in names for suffix in ("argmax", SOFTENED))
    left = (*inputs, *outputs, *internal)
    answers = answers.drop(columns=[name for name in left if name in answers])
    rows = rows.drop(columns=[name for name in answers if name in rows]).reset_index(drop=True)
    return pd.concat([rows, answers], axis=1)


def evaluate_file(path: Path, rows: "pd.DataFrame", folder: Path, name: str, *, allow_pickle: bool = False) -> Metrics:
    """Evaluate a model on labeled rows and write the evaluation into a folder.

    Args:
        path: The folder of a run, or of a model that Ludwig wrote.
        rows: The labeled rows. Rows without labels are left out.
        folder: Where to write the evaluation.
        name: What the report calls the rows.
        allow_pickle: Whether to load pickled weights of an old Ludwig.

    Returns:
        The metrics (see `metrics.py`).

    Raises:
        DatasetError: A needed column is missing, or no row has labels.
    """
    model = load_model(path, allow_pickle=allow_pickle)
    rows = clean_labels(_with_columns(rows, model.config, columns(model.config, "input_features")), model.config)
    labels = columns(model.config, "output_features")
    present = [column for column in labels if column in rows]
    if not present:
        raise DatasetError(
            f"The rows have the columns {list(rows.columns)}; to evaluate the model they need one of {labels}."
        )
    thresholds = _thresholds(model)
    out_of_scope_rows = {clean_label(found["fitted"]["out_of_scope"] or "") for found in thresholds.values()} - {""}
    outside = rows[present].isin(out_of_scope_rows).any(axis=1)
    labeled = rows[present].notna().all(axis=1) & (rows[present] != "").all(axis=1) & ~outside
    if left := int((~labeled & ~outside).sum()):
        say(f"Skipped {left} of {len(rows)} rows without a value in {' or '.join(present)}.")
    if not labeled.any():
        raise DatasetError(f"No row has a value in {' and '.join(present)}: add labels to evaluate the model.")
    decoders = _decoders(model)
    source = EvaluationSource(
        rows=name,
        model=_name(path),
        temperatures=temperatures(model.ludwig_model),
        known=known_labels(model.config, model.metadata),
        taggers=taggers_of(model.config, model.metadata, decoders),
    )
    return evaluate(
        with_logits(model.ludwig_model, decoders, model.predict),
        model.config,
        rows[labeled].drop(columns=SPLIT, errors="ignore").reset_index(drop=True),
        folder,
        source,
        thresholds={output: found for output, found in thresholds.items() if output in present},
        outside=rows[outside].reset_index(drop=True),
    )


def _with_columns(rows: "pd.DataFrame", config: Config, needed: Sequence[str]) -> "pd.DataFrame":
    rows = readable_rows(rows, [*config["input_features"], *config["output_features"]])
    if missing := [column for column in needed if column not in rows]:
        raise DatasetError(f"The rows have the columns {list(rows.columns)}; the model also needs {missing}.")
    return rows


def _decoders(model: SourceModel) -> dict[str, SlotDecoder]:
    """Return the decoders of the outputs that are decoded, according to the run's record."""
    recorded = (model.training or {}).get(DECODING) or {}
    decoders = slot_decoders(model.config, model.metadata)
    return {name: decoder for name, decoder in decoders.items() if recorded.get(name) == "viterbi"}


def _thresholds(model: SourceModel) -> dict[str, Any]:
    """Return the content of `thresholds.json` next to the model, without its measurements."""
    path = model.folder.parent / THRESHOLDS
    if not path.is_file():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return {
            name: {
                "default": each["default"],
                "by_label": each.get("by_label", {}),
                "softness": each.get("softness", 1.0),
                "rejected": each.get("rejected", []),
                "fitted": each["fitted"],
                **({"evidence": each["evidence"]} if "evidence" in each else {}),
                "measured": {},
            }
            for name, each in found.items()
        }
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise EvaluationError(
            f"{path} is invalid ({error!r}): fix it, or delete it to evaluate without thresholds."
        ) from None


def _name(path: Path) -> str:
    folder = path.resolve()
    return folder.parent.name if folder.name == "model" else folder.name
