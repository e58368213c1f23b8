"""Tiny models of every choice that export supports, and of the pairs that matter: one configuration each.

`CHOICES` is by group and name, such as `encoder` and `stacked_cnn`: docs/support.md is made from it. Transformers need
files on disk, and come from `transformer_choices`.
"""

import random
from pathlib import Path
from typing import Any

import pandas as pd

from tests.zoo.transformers import ARCHITECTURES, write_transformer

Config = dict[str, Any]

VOCABULARY = Path(__file__).parent / "vocabulary.txt"
ROWS = 96
WORDS = (
    *("book", "a", "flight", "to", "Rome", "cancel", "my", "hotel", "in", "New", "York", "please", "thanks"),
    *("réserver", "un", "vol", "مرحبا", "كيف", "الحال", "hello"),
)
TAGS = {"Rome": "B-city", "New": "B-city", "York": "I-city"}
TOPICS = {"flight", "hotel", "hello"}
LABELS = ("book", "cancel", 'say "hi"', "a, b", "two words", "nan", "🎉", "é")
COLORS = ("red", "green", "blue", "dark red")


def dataset() -> pd.DataFrame:
    """Return rows with a column of every type; what is to be learnt follows from the text."""
    generator = random.Random(7)
    rows = []
    for number in range(ROWS):
        words = [generator.choice(WORDS) for _ in range(generator.randint(2, 9))]
        label = LABELS[number % len(LABELS)]
        rows.append(
            {
                "text": " ".join(words),
                "second_text": " ".join(reversed(words)),
                "commas": ", ".join(words),
                "under_scores": "_".join(words),
                "number": round(generator.uniform(0.5, 90.0), 3),
                "binary": "yes" if number % 3 else "no",
                "color": COLORS[number % len(COLORS)],
                "tags": " ".join(sorted(set(words[:4]))),
                "vector": " ".join(f"{generator.uniform(-1, 1):.3f}" for _ in range(4)),
                "date": f"20{10 + number % 15}-{1 + number % 12:02d}-{1 + number % 28:02d} {number % 24:02d}:15:30",
                "intent": label,
                "slots": " ".join(
                    "B-city" if word in {"Rome", "New"} else "I-city" if word == "York" else "O" for word in words
                ),
                "score": round(len(words) * 10 + generator.random(), 3),
                "urgent": "true" if "cancel" in words else "false",
                "topics": " ".join(
                    sorted({word for word in words if word in {"flight", "hotel", "hello"}}) or ["none"]
                ),
                "place": " ".join(f"{generator.random():.3f}" for _ in range(3)),
                "grade": str(number % 4),
                "shares": "0.2 0.5 0.3" if number % 2 else "0.6 0.1 0.3",
            }
        )
    return pd.DataFrame(rows)


def text(encoder: Config | None = None, *, kind: str = "text", name: str = "text", **preprocessing: Any) -> Config:
    """Return a text input with small layers."""
    small = encoder or {"type": "embed", "embedding_size": 8}
    return {"name": name, "type": kind, "encoder": small, "preprocessing": {"tokenizer": "space", **preprocessing}}


def category(**options: Any) -> Config:
    """Return the intent as an output."""
    return {"name": "intent", "type": "category", **options}


def tagger(**decoder: Any) -> Config:
    """Return the slots as an output."""
    return {
        "name": "slots",
        "type": "sequence",
        "preprocessing": {"tokenizer": "space"},
        "reduce_input": None,
        "decoder": {"type": "tagger", **decoder},
    }


def model(*features: Config, outputs: list[Config] | None = None, combiner: Config | None = None) -> Config:
    """Return a configuration that trains in seconds."""
    config: Config = {
        "model_type": "ecd",
        "input_features": list(features),
        "output_features": outputs or [category()],
        "trainer": {"epochs": 1, "batch_size": 32, "eval_batch_size": 32, "learning_rate": 0.005, "early_stop": -1},
    }
    return {**config, "combiner": combiner} if combiner else config


def rnn(**options: Any) -> Config:
    """Return a small recurrent encoder."""
    return {"type": "rnn", "embedding_size": 8, "state_size": 8, **options}


CNN_END: Config = {"fc_layers": [{"output_size": 8}]}
CNN: Config = {"embedding_size": 8, "num_filters": 8, **CNN_END}
CONVOLUTION: Config = {"filter_size": 3, "pool_size": None}
ATTENTION: Config = {"hidden_size": 8, "num_heads": 2, "transformer_output_size": 8}
SEQUENCE: Config = {"type": "rnn", "embedding_size": 8, "state_size": 8, "reduce_output": None}
TABULAR = [
    {"name": "number", "type": "number", "preprocessing": {"normalization": "zscore"}},
    {"name": "binary", "type": "binary"},
    {"name": "color", "type": "category"},
]

TOKENIZERS = {
    "space": text(),
    "space_punct": text(tokenizer="space_punct"),
    "characters": text(tokenizer="characters"),
    "comma": text(name="commas", tokenizer="comma"),
    "underscore": text(name="under_scores", tokenizer="underscore"),
    "untokenized": text(tokenizer="untokenized"),
    "stripped": text(tokenizer="stripped"),
}

PREPROCESSING = {
    "left padding": text(rnn(), padding="left"),
    "lowercase": text(lowercase=True),
    "most_common": text(most_common=5),
    "max_sequence_length": text(max_sequence_length=4),
    "sequence_length": text(sequence_length=20),
    "sequence input": text(rnn(), kind="sequence"),
    "fill with a word": text(fill_value="hello"),
    "fill with the mode": text(missing_value_strategy="fill_with_mode"),
    "own vocabulary file": text(vocab_file=str(VOCABULARY)),
    "no fill": text(missing_value_strategy="drop_row"),
}

ENCODERS = {
    "embed": text({"type": "embed", "embedding_size": 8}),
    "embed, max": text({"type": "embed", "embedding_size": 8, "reduce_output": "max"}),
    "parallel_cnn": text({"type": "parallel_cnn", **CNN}),
    "parallel_cnn, left padding": text({"type": "parallel_cnn", **CNN}, padding="left"),
    "stacked_cnn": text({"type": "stacked_cnn", **CNN, "conv_layers": [CONVOLUTION]}),
    "stacked_parallel_cnn": text({"type": "stacked_parallel_cnn", **CNN}),
    **{
        f"rnn, {cell}, {'two directions' if both else 'one direction'}": text(rnn(cell_type=cell, bidirectional=both))
        for cell in ("rnn", "lstm", "gru")
        for both in (False, True)
    },
    "rnn, two layers": text(rnn(cell_type="lstm", num_layers=2, bidirectional=True)),
    **{
        f"rnn, reduce_output {reduce}": text(rnn(cell_type="gru", reduce_output=reduce))
        for reduce in ("last", "sum", "mean", "max", "concat", "attention")
    },
    "cnnrnn": text(
        {
            "type": "cnnrnn",
            "embedding_size": 8,
            "state_size": 8,
            "conv_layers": [{"num_filters": 8, "filter_size": 3, "pool_size": None}],
        }
    ),
    "transformer": text(
        {
            "type": "transformer",
            "embedding_size": 8,
            "hidden_size": 8,
            "num_heads": 2,
            "num_layers": 1,
            "transformer_output_size": 8,
            "fc_layers": [{"output_size": 8}],
        }
    ),
}

DATE_FORMAT = {"datetime_format": "%Y-%m-%d %H:%M:%S"}
INPUTS = {
    "number": {"name": "number", "type": "number"},
    **{
        f"number, {kind}": {"name": "number", "type": "number", "preprocessing": {"normalization": kind}}
        for kind in ("zscore", "minmax", "log1p", "iq")
    },
    "number, outliers": {
        "name": "number",
        "type": "number",
        "preprocessing": {"outlier_strategy": "fill_with_mean", "outlier_threshold": 1.0},
    },
    "number, dense": {"name": "number", "type": "number", "encoder": {"type": "dense", "output_size": 8}},
    "binary": {"name": "binary", "type": "binary"},
    "category, dense": {"name": "color", "type": "category"},
    "category, sparse": {"name": "color", "type": "category", "encoder": {"type": "sparse"}},
    "category, onehot": {"name": "color", "type": "category", "encoder": {"type": "onehot"}},
    "category, most_common": {"name": "color", "type": "category", "preprocessing": {"most_common": 2}},
    "category, fill with the mode": {
        "name": "color",
        "type": "category",
        "preprocessing": {"missing_value_strategy": "fill_with_mode"},
    },
    "set": {"name": "tags", "type": "set"},
    "set, comma": {"name": "commas", "type": "set", "preprocessing": {"tokenizer": "comma"}},
    "bag": {"name": "tags", "type": "bag"},
    "vector": {"name": "vector", "type": "vector"},
    "date, embed": {
        "name": "date",
        "type": "date",
        "encoder": {"type": "embed"},
        "preprocessing": {"datetime_format": "%Y-%m-%d %H:%M:%S"},
    },
    "date, wave": {"name": "date", "type": "date", "encoder": {"type": "wave"}},
}

COMBINERS = {
    "concat": model(text(), *TABULAR, combiner={"type": "concat", "fc_layers": [{"output_size": 8}]}),
    "sequence": model(
        text(SEQUENCE), combiner={"type": "sequence", "encoder": {"type": "parallel_cnn", "num_filters": 8}}
    ),
    "sequence_concat": model(text(SEQUENCE), TABULAR[0], combiner={"type": "sequence_concat"}),
    "transformer": model(
        text(),
        *TABULAR,
        combiner={
            "type": "transformer",
            "hidden_size": 8,
            "num_heads": 2,
            "transformer_output_size": 8,
            "output_size": 8,
        },
    ),
    "tabtransformer": model(
        *TABULAR,
        combiner={
            "type": "tabtransformer",
            "hidden_size": 8,
            "num_heads": 2,
            "transformer_output_size": 8,
            "output_size": 8,
        },
    ),
    "tabnet": model(text(), *TABULAR, combiner={"type": "tabnet", "size": 8, "output_size": 8, "num_steps": 2}),
    "comparator": model(
        text(),
        text(name="second_text"),
        combiner={"type": "comparator", "entity_1": ["text"], "entity_2": ["second_text"], "output_size": 8},
    ),
}

OUTPUTS = {
    "category": model(text()),
    "category, calibration": model(text(), outputs=[category(calibration=True)]),
    "category, CORN": model(text(), outputs=[{"name": "grade", "type": "category", "loss": {"type": "corn"}}]),
    "category distribution": model(
        text(),
        outputs=[{"name": "shares", "type": "category_distribution", "preprocessing": {"vocab": ["a", "b", "c"]}}],
    ),
    "binary": model(text(), outputs=[{"name": "urgent", "type": "binary"}]),
    "binary, words": model(text(), outputs=[{"name": "binary", "type": "binary"}]),
    "binary, threshold": model(text(), outputs=[{"name": "binary", "type": "binary", "threshold": 0.7}]),
    "binary, calibration": model(text(), outputs=[{"name": "binary", "type": "binary", "calibration": True}]),
    "number": model(text(), outputs=[{"name": "score", "type": "number"}]),
    **{
        f"number, {kind}": model(
            text(), outputs=[{"name": "score", "type": "number", "preprocessing": {"normalization": kind}}]
        )
        for kind in ("zscore", "minmax", "log1p", "iq")
    },
    "number, clip": model(text(), outputs=[{"name": "score", "type": "number", "clip": [0, 1]}]),
    "set": model(text(), outputs=[{"name": "topics", "type": "set"}]),
    "vector": model(text(), outputs=[{"name": "place", "type": "vector"}]),
    "sequence, tagger": model(text(SEQUENCE), outputs=[tagger()]),
    "sequence, tagger with attention": model(
        text(SEQUENCE), outputs=[tagger(use_attention=True, attention_embedding_size=8, attention_num_heads=2)]
    ),
    "text, tagger": model(text(SEQUENCE), outputs=[{**tagger(), "type": "text"}]),
    "category and sequence": model(text(SEQUENCE, kind="sequence"), outputs=[category(reduce_input="sum"), tagger()]),
    "category, binary and number": model(
        text(), outputs=[category(), {"name": "binary", "type": "binary"}, {"name": "score", "type": "number"}]
    ),
    "dependent": model(text(), outputs=[category(), {"name": "score", "type": "number", "dependencies": ["intent"]}]),
}

CHOICES: dict[str, dict[str, Config]] = {
    "tokenizer": {name: model(feature) for name, feature in TOKENIZERS.items()},
    "preprocessing": {name: model(feature) for name, feature in PREPROCESSING.items()},
    "encoder": {name: model(feature) for name, feature in ENCODERS.items()},
    "input": {name: model(text(), feature) for name, feature in INPUTS.items()},
    "combiner": COMBINERS,
    "output": OUTPUTS,
}

TRANSFORMERS = (
    *(f"auto_transformer, {architecture}" for architecture in ARCHITECTURES),
    *("bert", "distilbert", "electra", "albert"),
    *("auto_transformer, frozen", "auto_transformer, tagger on sub-words"),
    *("tokenizer bert", "tokenizer gpt2bpe", "tokenizer sentencepiece", "tokenizer clip"),
)


def transformer_choice(name: str, folder: Path) -> Config:
    """Return the configuration of one of `TRANSFORMERS`, and write the pretrained model that it starts from."""
    kind, _, rest = name.partition(", ")
    architecture = rest if rest in ARCHITECTURES else kind if kind in ARCHITECTURES else "bert"
    pretrained = str(write_transformer(architecture, list(dataset()["text"]), folder))
    if kind.startswith("tokenizer "):
        return model(text(tokenizer=kind.split(" ")[1], pretrained_model_name_or_path=pretrained))
    encoder = {"type": kind, "pretrained_model_name_or_path": pretrained, "trainable": rest != "frozen"}
    if rest == "tagger on sub-words":
        slots = {**tagger(), "preprocessing": {"tokenizer": "space", "sequence_length": 24}}
        source = text({**encoder, "reduce_output": None}, tokenizer="hf_tokenizer", sequence_length=24)
        return model(source, outputs=[slots])
    return model(text(encoder, tokenizer="hf_tokenizer"))
