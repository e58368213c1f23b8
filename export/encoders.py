"""Reject encoders that the saved model does not contain or that cannot be traced into a graph."""

from export.errors import UnsupportedError
from export.features import Config

ANOTHER_TRANSFORMER = "Train with another architecture, such as `distilbert`, `bert` or, for long texts, `modernbert`."
REFUSED = {
    "longformer": (
        "uses strided memory access for its attention windows, which a graph fixes to one batch size",
        ANOTHER_TRANSFORMER,
    ),
    "fnet": (
        "uses a multi-axis Fourier transform, for which ONNX has no operator",
        ANOTHER_TRANSFORMER,
    ),
    "yoso": ("computes its attention in a Python function, which cannot be traced into a graph", ANOTHER_TRANSFORMER),
    "bloom": ("computes its activation in a Python function, which cannot be traced into a graph", ANOTHER_TRANSFORMER),
    "jamba": (
        "reads the padding instead of the words (Ludwig passes an inverted mask), so Ludwig itself returns NaN for a "
        "text of the maximum length",
        "Train with the encoder `mamba2` or `transformer`.",
    ),
}
"""Ludwig encoders and Hugging Face architectures that train but cannot be exported: the reason, and the alternative."""


def check_encoder(config: Config, metadata: Config, architecture: str | None) -> None:
    """Check that the encoder of an input feature can become part of a graph.

    Args:
        config: Ludwig's configuration of the input feature.
        metadata: Ludwig's metadata of the input feature.
        architecture: Hugging Face's `model_type` of the network in the encoder, or None if it is not a Hugging Face
            network.

    Raises:
        UnsupportedError: The encoder cannot be exported.
    """
    if metadata["preprocessing"].get("cache_encoder_embeddings"):
        raise UnsupportedError(
            config["name"],
            "its encoder's embeddings were cached before training, so the model does not contain the encoder",
            "Train with `cache_encoder_embeddings: false`.",
        )
    encoder = architecture or config.get("encoder", {}).get("type")
    if encoder in REFUSED:
        reason, advice = REFUSED[encoder]
        raise UnsupportedError(config["name"], f"its encoder {encoder!r} {reason}", advice)
