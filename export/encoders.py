"""The encoders that export refuses: those that the saved model does not hold, and those that no graph can hold."""

from export.errors import UnsupportedError
from export.features import Config

ANOTHER_TRANSFORMER = "Train with another architecture, such as `distilbert`, `bert` or, for long texts, `modernbert`."
REFUSED = {
    "longformer": (
        "reads its windows of words by their places in memory, which a graph fixes for one size of batch",
        ANOTHER_TRANSFORMER,
    ),
    "fnet": (
        "mixes words by a Fourier transform over several axes, for which ONNX has no operator",
        ANOTHER_TRANSFORMER,
    ),
    "yoso": ("computes its attention in a function of Python's, which no graph can hold", ANOTHER_TRANSFORMER),
    "bloom": ("computes its activation in a function of Python's, which no graph can hold", ANOTHER_TRANSFORMER),
    "jamba": (
        "reads the padding instead of the words (Ludwig hands over its mask the wrong way round), so that Ludwig "
        "itself answers NaN for a text of the full length",
        "Train with the encoder `mamba2` or `transformer`.",
    ),
}
"""Ludwig's encoders, or Hugging Face's architectures in them, that train but are refused: why, and what else."""


def check_encoder(config: Config, metadata: Config, architecture: str | None) -> None:
    """Raise UnsupportedError if the encoder of an input cannot become a part of a graph.

    architecture: Hugging Face's name of the network in the encoder, if there is one.
    """
    if metadata["preprocessing"].get("cache_encoder_embeddings"):
        raise UnsupportedError(
            config["name"],
            "its encoder's answers were cached before training, so that the model does not hold the encoder",
            "Train with `cache_encoder_embeddings: false`.",
        )
    encoder = architecture or config.get("encoder", {}).get("type")
    if encoder in REFUSED:
        reason, advice = REFUSED[encoder]
        raise UnsupportedError(config["name"], f"its encoder {encoder!r} {reason}", advice)
