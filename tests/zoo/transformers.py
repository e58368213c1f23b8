"""Tiny Hugging Face text encoders with random weights, written to disk, so that tests do not need the Hub."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

SIZES = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_position_embeddings": 64,
}
DISTILBERT_SIZES = {"dim": 16, "n_layers": 2, "n_heads": 2, "hidden_dim": 32, "max_position_embeddings": 64}
GPT_SIZES = {"n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 64}
SPECIAL_IDS = {"pad_token_id": 0, "cls_token_id": 2, "sep_token_id": 3, "bos_token_id": 2, "eos_token_id": 3}
SPECIAL = {
    "unk_token": "[UNK]",
    "cls_token": "[CLS]",
    "sep_token": "[SEP]",
    "pad_token": "[PAD]",
    "mask_token": "[MASK]",
}
ARCHITECTURES: dict[str, dict[str, Any]] = {
    "bert": SIZES,
    "distilbert": DISTILBERT_SIZES,
    "roberta": {**SIZES, "pad_token_id": 0},
    "xlm-roberta": {**SIZES, "pad_token_id": 0},
    "electra": {**SIZES, "embedding_size": 16},
    "albert": {**SIZES, "embedding_size": 16},
    "mpnet": SIZES,
    "deberta-v2": {**SIZES, "relative_attention": True, "pos_att_type": ["p2c", "c2p"], "position_buckets": 8},
    "modernbert": {**SIZES, "global_attn_every_n_layers": 1, **SPECIAL_IDS},
    "camembert": {**SIZES, "pad_token_id": 0},
    "ernie": SIZES,
    "roformer": SIZES,
    "convbert": {**SIZES, "embedding_size": 16},
    "xlm": {"emb_dim": 16, "n_layers": 2, "n_heads": 2, "max_position_embeddings": 64, "pad_index": 0},
    "xlnet": {"d_model": 16, "n_layer": 2, "n_head": 2, "d_inner": 32},
    "gpt2": GPT_SIZES,
    "openai-gpt": GPT_SIZES,
    "llama": {**SIZES, "num_key_value_heads": 2},
    "qwen3": {**SIZES, "num_key_value_heads": 2, "head_dim": 8},
    "t5": {"d_model": 16, "d_kv": 8, "d_ff": 32, "num_layers": 2, "num_heads": 2},
}


def write_transformer(architecture: str, texts: list[str], folder: Path, *, generates: bool = False) -> Path:
    """Write a transformer and its tokenizer, as the hub would hold them.

    generates: with the layer on top that predicts the next word.
    """
    from transformers import AutoConfig, AutoModel, AutoModelForCausalLM, PreTrainedTokenizerFast

    make: Callable[[list[str]], Any] = _byte_pairs if architecture in {"roberta", "xlm-roberta"} else _word_pieces
    tokenizer = make(texts)
    config = AutoConfig.for_model(
        architecture, vocab_size=tokenizer.get_vocab_size(), attn_implementation="eager", **ARCHITECTURES[architecture]
    )
    (AutoModelForCausalLM if generates else AutoModel).from_config(config).save_pretrained(folder)
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=64, **SPECIAL).save_pretrained(folder)
    return folder


def _word_pieces(texts: list[str]) -> Any:
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.train_from_iterator(
        texts, trainers.WordPieceTrainer(vocab_size=80, special_tokens=list(SPECIAL.values()))
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        special_tokens=[(token, tokenizer.token_to_id(token)) for token in ("[CLS]", "[SEP]")],
    )
    return tokenizer


def _byte_pairs(texts: list[str]) -> Any:
    from tokenizers import Tokenizer, models, pre_tokenizers, processors, trainers

    tokenizer = Tokenizer(models.BPE(unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tokenizer.train_from_iterator(texts, trainers.BpeTrainer(vocab_size=320, special_tokens=special))
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        special_tokens=[(token, tokenizer.token_to_id(token)) for token in ("[CLS]", "[SEP]")],
    )
    return tokenizer
