"""What a model answers on rows, with what is right beside it where that is known."""

from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from typing import TYPE_CHECKING, Any

from export.features import column_of
from handler.decoding import SlotDecoder, is_whole
from training.config import Config, columns
from training.slots import word_positions

if TYPE_CHECKING:
    import pandas as pd

Records = list[dict[str, Any]]
Predict = Callable[["pd.DataFrame"], Records]
"""Ludwig's own answers to rows, a record of its columns for each; `<output>_logits` too of those that are decoded."""
Decoders = Mapping[str, SlotDecoder]
"""By output, for slots that are not answered by the best tag of each word."""

TAG_STARTS = ("B-", "I-")
OUTSIDE = "O"


def answer_rows(
    predict: Predict,
    config: Config,
    rows: "pd.DataFrame",
    temperatures: Mapping[str, float] | None = None,
    decoders: Decoders | None = None,
) -> Records:
    """Return a record for each row: its inputs, what is right where it is known, and what the model answers.

    config: with Ludwig's defaults filled in. temperatures: of outputs that are calibrated; they get a column
    `<output>_uncalibrated`, the confidence that they would have without. decoders: their outputs get a column
    `<output>_argmax`, the tags that they would have without.
    A category has `<output>_predictions` and `<output>_probability`; slots have tags with spaces between, one for each
    word, and the probability of their least sure word. Others have Ludwig's `<output>_predictions`.
    """
    inputs = columns(config, "input_features")
    answers = predict(rows[inputs].reset_index(drop=True))
    records = [{str(name): _plain(value) for name, value in row.items()} for row in rows[inputs].to_dict("records")]
    for feature in config["output_features"]:
        column = column_of(feature)
        if column in rows:
            for record, value in zip(records, rows[column], strict=True):
                record[feature["name"]] = str(value) if feature["type"] == "category" else _plain(value)
        found = _read(feature, config, records, answers, temperatures or {}, decoders or {})
        for record, answer in zip(records, found, strict=True):
            record |= answer
    return records


def _read(
    feature: Mapping[str, Any],
    config: Config,
    records: Records,
    answers: Records,
    temperatures: Mapping[str, float],
    decoders: Decoders,
) -> Records:
    """Return the columns of one output for each row."""
    name = feature["name"]
    if feature["type"] == "category":
        return [_read_category(name, answer, temperatures.get(name)) for answer in answers]
    if feature["type"] == "sequence" and (positions := word_positions(config, name)):
        text = columns(config, "input_features")[0]
        texts = [str(record[text] or "") for record in records]
        decoder = decoders.get(name)
        return [
            _read_slots(name, answer, positions(words), decoder) for words, answer in zip(texts, answers, strict=True)
        ]
    return [{f"{name}_predictions": _plain(answer[f"{name}_predictions"])} for answer in answers]


def _read_category(name: str, answer: Mapping[str, Any], temperature: float | None) -> dict[str, Any]:
    found: dict[str, Any] = {f"{name}_predictions": str(answer[f"{name}_predictions"])}
    found[f"{name}_probability"] = _rounded(answer[f"{name}_probability"])
    if temperature is not None:
        powers = [probability**temperature for probability in answer[f"{name}_probabilities"]]
        found[f"{name}_uncalibrated"] = _rounded(max(powers) / sum(powers))
    return found


def _read_slots(
    name: str, answer: Mapping[str, Any], positions: Sequence[int | None], decoder: SlotDecoder | None
) -> dict[str, Any]:
    """Return the tags of words. Special symbols, words that were cut off and words without tokens are outside."""
    tags, probabilities = answer[f"{name}_predictions"], answer[f"{name}_probabilities"]
    places = [place if place is not None and place < len(tags) else None for place in positions]
    seen = [place for place in places if place is not None]
    found: dict[str, Any] = {f"{name}_predictions": _words(places, {place: str(tags[place]) for place in seen})}
    sureness = [float(probabilities[place]) for place in seen]
    if decoder is not None:
        found[f"{name}_argmax"] = found[f"{name}_predictions"]
        if not is_whole(str(tags[place]) for place in seen):
            decoded, sureness = decoder.decode(answer[f"{name}_logits"][seen])
            found[f"{name}_predictions"] = _words(places, dict(zip(seen, decoded, strict=True)))
    return {**found, f"{name}_probability": _rounded(min(sureness, default=0.0))}


def _words(places: Sequence[int | None], tags: Mapping[int, str]) -> str:
    words = [OUTSIDE if place is None else tags[place] for place in places]
    return " ".join(tag if tag.startswith(TAG_STARTS) else OUTSIDE for tag in words)


def _rounded(probability: float) -> float:
    return round(float(probability), 6)


def _plain(value: Any) -> Any:
    """Return a value as JSON has it; what is missing is None."""
    value = value.tolist() if hasattr(value, "tolist") else value
    return None if isinstance(value, float) and not isfinite(value) else value
