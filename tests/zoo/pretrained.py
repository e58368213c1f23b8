"""The zoo's models with a pretrained transformer or its tokenizer."""

from pathlib import Path

from tests.zoo.dataset import dataset
from tests.zoo.models import Config, category, model, tagger, text
from tests.zoo.transformers import ARCHITECTURES, write_transformer

ADAPTERS = ("lora", "ia3")
NAMED = {
    **{
        name: name
        for name in ("bert", "distilbert", "electra", "albert", "camembert", "gpt2", "modernbert", "t5", "xlnet")
    },
    "gpt": "openai-gpt",
    "llm": "gpt2",
}
"""Ludwig's encoders of their own, and Hugging Face's names for them."""
TRANSFORMERS = (
    *(f"auto_transformer, {architecture}" for architecture in ARCHITECTURES if architecture != "t5"),
    *NAMED,
    *("auto_transformer, frozen", "auto_transformer, tagger on sub-words"),
    *(f"auto_transformer, adapter {adapter}" for adapter in ADAPTERS),
    *("tokenizer bert", "tokenizer gpt2bpe", "tokenizer sentencepiece", "tokenizer clip"),
)


def transformer_choice(name: str, folder: Path) -> Config:
    """Return the configuration of one of `TRANSFORMERS`, and write its pretrained model."""
    kind, _, rest = name.partition(", ")
    architecture = rest if rest in ARCHITECTURES else NAMED.get(kind, "bert")
    pretrained = str(write_transformer(architecture, list(dataset()["text"]), folder, generates=kind == "llm"))
    if kind.startswith("tokenizer "):
        return model(text(tokenizer=kind.split(" ")[1], pretrained_model_name_or_path=pretrained))
    if kind == "llm":
        return _language_model(pretrained)
    encoder = {"type": kind, "pretrained_model_name_or_path": pretrained, "trainable": rest != "frozen"}
    if rest.startswith("adapter "):
        encoder["adapter"] = {"type": rest.removeprefix("adapter ")}
    if rest == "tagger on sub-words":
        slots = {**tagger(), "preprocessing": {"tokenizer": "space", "sequence_length": 24}}
        source = text({**encoder, "reduce_output": None}, tokenizer="hf_tokenizer", sequence_length=24)
        return model(source, outputs=[slots])
    return model(text(encoder, tokenizer="hf_tokenizer"))


def _language_model(pretrained: str) -> Config:
    encoder = {"type": "llm", "base_model": pretrained, "max_sequence_length": 32}
    source = text(encoder, tokenizer="hf_tokenizer", pretrained_model_name_or_path=pretrained, max_sequence_length=32)
    return model(source, outputs=[category(reduce_input="sum")])
