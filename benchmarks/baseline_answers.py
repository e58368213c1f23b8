"""What both baselines share: the least code that answers Hexabot's request with the same bytes as the handler.

It has no web framework, tokens, limits, error handling, logs, integrity checks or language thresholds, and supports
only the features of the measured bundles. `baseline_minimal` and `baseline_capi` add the way to run a graph.
"""

import base64
import json
import os
import re
from array import array
from collections.abc import Callable
from math import log
from pathlib import Path
from typing import Any

WORDS = re.compile(r"\w+|[^\w\s]")
HUNDRED_THOUSANDTHS = re.compile(r"(\d)(?:\.(\d+))?e-05")
SMALLEST_PROBABILITY = 1e-10
Encoded = tuple[list[int], list[tuple[int, int]]]
"""The token ids of a text, and the span of each token."""
Run = Callable[[list[int]], tuple[Any, list[float]]]
"""Runs a graph on the padded ids of one text. Returns the predictions and the probabilities of this text."""
Load = Callable[[Path, dict[str, Any]], Run]
"""Loads the graph in a bundle's folder, with the bundle's manifest."""


class Model:
    """One bundle with a text input and one output."""

    def __init__(self, folder: Path, load: Load) -> None:
        manifest = json.loads((folder / "manifest.json").read_bytes())
        self.name = manifest["name"]
        (self.input,), (self.output,) = manifest["inputs"], manifest["outputs"]
        self.run = load(folder / manifest["graph"]["file"], manifest)
        if self.input["tokenizer"]["type"] == "subword":
            self.encode = self._subwords(folder)
        else:
            vocabulary = json.loads((folder / self.input["vocabulary"]["file"]).read_bytes())
            self.ids = {token: index for index, token in enumerate(vocabulary)}
            self.encode = self._tokens

    def _subwords(self, folder: Path) -> Callable[[str], Encoded]:
        from tokenizers import Tokenizer

        described = self.input["tokenizer"]
        tokenizer = Tokenizer.from_file(str(folder / described["file"]))
        tokenizer.no_padding()
        tokenizer.no_truncation()
        if described["max_tokens"] is not None:
            tokenizer.enable_truncation(described["max_tokens"])
        return lambda text: (tokenizer.encode(text).ids, [])

    def _tokens(self, text: str) -> Encoded:
        """Return the ids of a text, and the span of each token."""
        special = self.input["vocabulary"]
        if self.input["tokenizer"]["type"] == "characters":
            spans = [(index, index + 1) for index in range(len(text))]
        else:
            spans = [found.span() for found in WORDS.finditer(text)]
        known = self.ids.get
        tokens = [known(text[start:end], special["unknown_id"]) for start, end in spans]
        return [special["start_id"], *tokens, special["stop_id"]], spans

    def answer(self, text: str) -> dict[str, Any]:
        """Return Ludwig's columns for a text."""
        described = self.input
        ids, spans = self.encode(text.lower() if described["lowercase"] else text)
        ids = ids[: described["length"]]
        predictions, probabilities = self.run(ids + [described["padding_id"]] * (described["length"] - len(ids)))
        if self.output["type"] == "category":
            return self._category(predictions, probabilities)
        return self._slots(text, spans, predictions, probabilities)

    def _category(self, prediction: int, probabilities: list[float]) -> dict[str, Any]:
        name, labels = self.output["name"], self.output["labels"]
        columns = {
            f"{name}_predictions": labels[prediction],
            f"{name}_probabilities": probabilities,
            f"{name}_probability": max(probabilities),
        }
        for label, probability in zip(labels, probabilities, strict=True):
            columns[f"{name}_probabilities_{label}"] = probability
        return columns

    def _slots(
        self, text: str, spans: list[tuple[int, int]], predictions: list[int], probabilities: list[float]
    ) -> dict[str, Any]:
        """Return the slots in Ludwig's columns; each element of `text.split(" ")` has the tag of its first token."""
        name, labels, special = self.output["name"], self.output["labels"], self.output["special_labels"]
        seen = self.input["length"] - 1
        tags, sure, start, token = [], [], 0, 0
        for word in text.split(" "):
            end = start + len(word)
            while token < len(spans) and spans[token][1] <= start:
                token += 1
            if token < min(len(spans), seen) and spans[token][0] < end:
                tag = labels[predictions[token + 1]]
                tags.append("O" if tag in special else tag)
                sure.append(probabilities[token + 1])
            else:
                tags.append("O")
                sure.append(0.0 if word.strip() else 1.0)
            start = end + 1
        for first, tag in enumerate(tags):
            last = first + 1
            while tag.startswith("B-") and last < len(tags) and tags[last] == f"I-{tag[2:]}":
                sure[first] = min(sure[first], sure[last])
                last += 1
        logarithm = sum(log(min(max(each, SMALLEST_PROBABILITY), 1.0)) for each in probabilities)
        return {
            f"{name}_predictions": ["<SOS>", *tags, "<EOS>"],
            f"{name}_probabilities": [1.0, *sure, 1.0],
            f"{name}_probability": array("f", [logarithm])[0],
        }


def load_models(load: Load) -> list[Model]:
    """Load the bundles in the folder NLU_BUNDLES."""
    return [Model(path.parent, load) for path in sorted(Path(os.environ["NLU_BUNDLES"]).glob("*/manifest.json"))]


def answer(models: list[Model], event: dict[str, Any]) -> dict[str, Any]:
    """Answer Hexabot's multipart request, an event of API Gateway's HTTP API."""
    body = base64.b64decode(event["body"]) if event["isBase64Encoded"] else event["body"].encode()
    boundary = event["headers"]["content-type"].partition("boundary=")[2].encode()
    part = body.split(b"--" + boundary)[1]
    text = part.partition(b"\r\n\r\n")[2].removesuffix(b"\r\n").decode()
    answers: dict[str, Any] = {model.name: {"predictions": model.answer(text), "status": "success"} for model in models}
    if "language" not in answers:
        default = {"language_predictions": "en", "language_probabilities_en": 1.0, "language_probability": 1.0}
        answers["language"] = {"predictions": default, "status": "success", "fallback": True}
    headers = {"content-type": "application/json"}
    return {"statusCode": 200, "headers": headers, "body": as_json(answers), "isBase64Encoded": False}


def as_json(answer: Any) -> str:
    """Return an answer as JSON with the handler's number format, which differs from Python's for small numbers."""
    written = json.dumps(answer, ensure_ascii=False, separators=(",", ":"))
    if "e-0" in written:
        written = HUNDRED_THOUSANDTHS.sub(lambda found: f"0.0000{found[1]}{found[2] or ''}", written)
        written = written.replace("e-0", "e-")
    return written
