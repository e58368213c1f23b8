"""Tiny models of every choice that export supports, and of the pairs that matter: one configuration each.

`CHOICES` is by group and name, such as `encoder` and `stacked_cnn`: docs/support.md is made from it. Transformers need
files on disk, and come from `pretrained.py`.
"""

from pathlib import Path
from typing import Any

Config = dict[str, Any]

VOCABULARY = Path(__file__).parent / "vocabulary.txt"


def text(encoder: Config | None = None, *, kind: str = "text", name: str = "text", **preprocessing: Any) -> Config:
    """Return a text input with small layers."""
    small = encoder or {"type": "embed", "embedding_size": 8}
    return {"name": name, "type": kind, "encoder": small, "preprocessing": {"tokenizer": "space", **preprocessing}}


def affixes() -> Config:
    """Return an input of words with their affixes: three tokens per word, joined by a convolution."""
    encoder = {
        "type": "cnnrnn",
        "embedding_size": 8,
        "state_size": 256,  # so large that the graph skips padding
        "bidirectional": True,
        "conv_layers": [{"num_filters": 8, "filter_size": 3, "strides": 3, "padding": "valid", "pool_size": None}],
        "reduce_output": None,
    }
    return {**text(encoder, kind="sequence", lowercase=True), "column": "text+affixes3"}


def context() -> Config:
    """Return an input of words with their affixes and neighbors: nine tokens per word, added up by a convolution."""
    layer = {"num_filters": 8, "filter_size": 9, "strides": 9, "padding": "valid", "pool_size": None}
    encoder = {
        "type": "stacked_cnn",
        "embedding_size": 8,
        "conv_layers": [{**layer, "activation": None}],
        "reduce_output": None,
    }
    return {**text(encoder, kind="sequence"), "column": "text+context11"}


def ngrams() -> Config:
    """Return an input of words, word pairs and character n-grams."""
    return {**text({"type": "embed", "embedding_size": 8, "reduce_output": "sum"}), "column": "text+ngrams24"}


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
STATE_SPACE: Config = {"embedding_size": 8, "d_model": 8, "n_layers": 1, "output_size": 8}
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
    "n-grams": ngrams(),
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
    "embed, sparse": text({"type": "embed", "representation": "sparse"}),
    "embed, max": text({"type": "embed", "embedding_size": 8, "reduce_output": "max"}),
    "parallel_cnn": text({"type": "parallel_cnn", **CNN}),
    "parallel_cnn, left padding": text({"type": "parallel_cnn", **CNN}, padding="left"),
    "stacked_cnn": text({"type": "stacked_cnn", **CNN, "conv_layers": [CONVOLUTION]}),
    "stacked_parallel_cnn": text({"type": "stacked_parallel_cnn", **CNN}),
    **{f"rnn, {cell}, one direction": text(rnn(cell_type=cell)) for cell in ("rnn", "lstm", "gru")},
    **{  # so long that the graph skips padding
        f"rnn, {cell}, two directions": text(rnn(cell_type=cell, bidirectional=True, state_size=64), sequence_length=24)
        for cell in ("rnn", "lstm", "gru")
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
    "mamba": text({"type": "mamba", **STATE_SPACE, "d_state": 4}),
    "mamba2": text({"type": "mamba2", **STATE_SPACE, "num_heads": 2}),
    "tf_idf": text({"type": "tf_idf"}),
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
    "number, ple": {"name": "number", "type": "number", "encoder": {"type": "ple", "num_bins": 4, "output_size": 8}},
    "number, periodic": {
        "name": "number",
        "type": "number",
        "encoder": {"type": "periodic", "num_frequencies": 4, "output_size": 8},
    },
    "number, bins": {"name": "number", "type": "number", "encoder": {"type": "bins", "num_bins": 4, "output_size": 8}},
    "binary": {"name": "binary", "type": "binary"},
    "binary, dense": {"name": "binary", "type": "binary", "encoder": {"type": "dense", "output_size": 8}},
    "category, dense": {"name": "color", "type": "category"},
    "category, sparse": {"name": "color", "type": "category", "encoder": {"type": "sparse"}},
    "category, onehot": {"name": "color", "type": "category", "encoder": {"type": "onehot"}},
    **{
        f"category, {encoder}": {"name": "color", "type": "category", "encoder": {"type": encoder}}
        for encoder in ("hash", "target", "passthrough")
    },
    "category, most_common": {"name": "color", "type": "category", "preprocessing": {"most_common": 2}},
    "category, fill with the mode": {
        "name": "color",
        "type": "category",
        "preprocessing": {"missing_value_strategy": "fill_with_mode"},
    },
    "set": {"name": "tags", "type": "set"},
    "set, comma": {"name": "commas", "type": "set", "preprocessing": {"tokenizer": "comma"}},
    "bag": {"name": "tags", "type": "bag"},
    "vector, dense": {"name": "vector", "type": "vector"},
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
    **{
        name: model(text(), *TABULAR, combiner={"type": name, "output_size": 8, **sizes})
        for name, sizes in {
            "project_aggregate": {"projection_size": 8},
            "ft_transformer": {"hidden_size": 8, "num_heads": 2, "transformer_output_size": 8},
            "cross_attention": {"hidden_size": 8, "num_heads": 2},
            "perceiver": {"num_latents": 4, "latent_dim": 8, "num_heads": 2},
            "gated_fusion": {"hidden_size": 8},
            "hypernetwork": {"hidden_size": 8, "hyper_hidden_size": 8},
        }.items()
    },
}

OUTPUTS = {
    "category": model(text()),
    "category, mlp_classifier": model(text(), outputs=[category(decoder={"type": "mlp_classifier"})]),
    "category, calibration": model(text(), outputs=[category(calibration=True)]),
    "category, CORN": model(text(), outputs=[{"name": "grade", "type": "category", "loss": {"type": "corn"}}]),
    "category, CORN, beyond all levels": model(
        text(),
        {"name": "vector", "type": "vector"},
        outputs=[{"name": "grade", "type": "category", "loss": {"type": "corn"}}, {"name": "topics", "type": "set"}],
    ),
    "category distribution": model(
        text(),
        outputs=[{"name": "shares", "type": "category_distribution", "preprocessing": {"vocab": ["a", "b", "c"]}}],
    ),
    "binary": model(text(), outputs=[{"name": "urgent", "type": "binary"}]),
    "binary, words": model(text(), outputs=[{"name": "binary", "type": "binary"}]),
    "binary, threshold": model(text(), outputs=[{"name": "binary", "type": "binary", "threshold": 0.7}]),
    "binary, mlp_classifier": model(
        text(), outputs=[{"name": "binary", "type": "binary", "decoder": {"type": "mlp_classifier"}}]
    ),
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
    "sequence, tagger after mamba": model(
        text({"type": "mamba", **STATE_SPACE, "reduce_output": None}), outputs=[tagger()]
    ),
    "sequence, tagger with attention": model(
        text(SEQUENCE), outputs=[tagger(use_attention=True, attention_embedding_size=8, attention_num_heads=2)]
    ),
    "sequence, tagger with affixes": model(affixes(), outputs=[tagger()]),
    "sequence, tagger with context": model(context(), outputs=[tagger()]),
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
