"""Renumber the padding token of a pretrained BERT model, so that Ludwig's attention mask covers it.

Ludwig's mask covers the id 2, the padding of its own vocabularies (`SpecialSymbol.PADDING`), whatever the tokenizer
pads with. BERT pads with the id 0, so every word attends to padding, and answers depend on its amount. The copy made
here is the same network: the tokens `[PAD]` and `[unused1]`, which no text contains, exchange their ids and vectors.
"""

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

from export.errors import ModelError
from export.pooling import with_pooling_layer

LUDWIG_PADDING = 2
"""`SpecialSymbol.PADDING.value` in `ludwig.utils.strings_utils`."""
PADDING = "[PAD]"
WORD_VECTORS = "embeddings.word_embeddings.weight"
TOKENIZER, VOCABULARY, CONFIG, WEIGHTS = "tokenizer.json", "vocab.txt", "config.json", "model.safetensors"
OTHERS = ("tokenizer_config.json", "special_tokens_map.json")


def copy_with_padding_id(source: Path, target: Path, *, pooled: bool) -> None:
    """Copy a pretrained BERT model, with Ludwig's id for the padding token.

    Args:
        source: A folder with the model's configuration, weights and tokenizer, as Hugging Face stores them.
        target: The folder to create, in one step. If another process creates it at the same time, its copy stays.
        pooled: Whether to add the layer of `export.pooling`, which computes the mean over a text's tokens.

    Raises:
        ModelError: The folder cannot be written.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
        try:
            _write(source, draft, pooled=pooled)
            draft.rename(target)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    except OSError as error:
        if not target.is_dir():
            raise ModelError(
                f"Cannot write a copy of MiniLM, about 90 MB, to {target}: {error.strerror}. Set XDG_CACHE_HOME to a "
                "folder that can be written."
            ) from None


def _write(source: Path, folder: Path, *, pooled: bool) -> None:
    """Write the copy's files into a folder."""
    from safetensors.numpy import load_file, save_file

    tokenizer = json.loads((source / TOKENIZER).read_text(encoding="utf-8"))
    vocabulary = tokenizer["model"]["vocab"]
    old = vocabulary[PADDING]
    unused = next(token for token, index in vocabulary.items() if index == LUDWIG_PADDING)
    vocabulary.update({PADDING: LUDWIG_PADDING, unused: old})
    for added in tokenizer["added_tokens"]:
        added["id"] = vocabulary[added["content"]]
    if tokenizer.get("padding"):
        tokenizer["padding"]["pad_id"] = LUDWIG_PADDING
    _write_json(folder / TOKENIZER, tokenizer)
    (folder / VOCABULARY).write_text("".join(f"{token}\n" for token in sorted(vocabulary, key=vocabulary.__getitem__)))
    config = {**json.loads((source / CONFIG).read_text()), "pad_token_id": LUDWIG_PADDING}
    weights = load_file(source / WEIGHTS)
    vectors = weights[WORD_VECTORS]
    vectors[[old, LUDWIG_PADDING]] = vectors[[LUDWIG_PADDING, old]]
    if pooled:
        weights, config = with_pooling_layer(weights, config)
    _write_json(folder / CONFIG, config)
    save_file(weights, folder / WEIGHTS, metadata={"format": "pt"})
    for name in OTHERS:
        shutil.copyfile(source / name, folder / name)


def _write_json(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
