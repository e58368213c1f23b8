"""Four tiny bots in two languages, one of them with broken data."""

from pathlib import Path
from typing import Any

import yaml

SECRET = "my PIN is 4711"
PLACES = {
    "en": ["Rome", "Oslo", "Lima", "Cairo", "Bonn", "Paris"],
    "fr": ["Lyon", "Nice", "Metz", "Lille", "Brest", "Pau"],
}
TEXTS = {
    "en": {
        "book": ["please book a room in", "reserve a bed in"],
        "leave": ["cancel my stay in", "call off my trip to"],
    },
    "fr": {"book": ["je veux une chambre à", "un lit à"], "leave": ["annulez mon séjour à", "je ne vais plus à"]},
}
TINY_CONFIG = """
input_features: [{name: text, type: text, preprocessing: {tokenizer: space}, encoder: {type: embed}}]
output_features: [{name: intent, type: category}]
preprocessing: {split: {type: stratify, column: intent, probabilities: [0.6, 0.2, 0.2]}}
trainer: {epochs: 2, batch_size: 8}
"""
BOTS: dict[str, dict[str, Any]] = {
    "hotel-fr": {"dataset": "fr.csv", "config": "tiny.yaml"},
    "broken": {"files": "broken.csv"},
    "hotel-en": {"files": "en.csv", "language": "en", "prefer": "fast", "budget-minutes": 0.1},
    "bank-fr": {"dataset": "fr.csv", "config": "tiny.yaml", "seed": 8},
}
CROOKED = {"files": "crooked.zip"}


def write_bots(folder: Path, *names: str) -> None:
    """Write a manifest of some of the bots, bots.yaml, and their data."""
    for language, intents in TEXTS.items():
        rows = [
            f"{text} {place},{intent},{language}"
            for intent, texts in intents.items()
            for text in texts
            for place in PLACES[language]
        ]
        (folder / f"{language}.csv").write_text("\n".join(["text,intent,language", *rows]) + "\n", encoding="utf-8")
    # The import reports the two labels of one text, with the text.
    (folder / "broken.csv").write_text(f"text,intent\n{SECRET},greet\n{SECRET},greet\n")
    (folder / "crooked.zip").write_bytes(b"no zip")
    (folder / "tiny.yaml").write_text(TINY_CONFIG)
    bots = {name: {**BOTS, "crooked": CROOKED}[name] for name in names}
    (folder / "bots.yaml").write_text(yaml.safe_dump({"bots": bots}, sort_keys=False))
