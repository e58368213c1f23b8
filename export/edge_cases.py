"""Generate edge-case rows that training data lacks, such as emoji, empty and long texts, for the proof of parity."""

import random
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from handler.fasttext import FastTextInput
from handler.inputs import (
    BagInput,
    BinaryInput,
    CategoryInput,
    DateInput,
    InputFeature,
    NumberInput,
    SetInput,
    VectorInput,
)
from handler.numbers import Log1p
from handler.text import TextInput
from handler.tokenizers import CommaTokenizer, UnderscoreTokenizer

ODD_TEXTS = {
    "empty": "",
    "blanks": "   ",
    "tabs": "\t \t",
    "emoji": "🎉 👩‍👩‍👧‍👦 👍🏽 ok 🇹🇳",
    "arabic": "أين أقرب محطة قطار؟",
    "arabic_with_marks": "مَرْحَبًا بِكُمْ",
    "chinese": "你好，今天天气怎么样？",
    "japanese": "こんにちは、元気ですか",
    "hindi": "नमस्ते दुनिया",
    "nul": "a\0b \0 c",
    "control": "a\x01b\x1f c\x7f",
    "newlines": "first line\nsecond line\r\n\nlast",
    "no_break_space": "hello\u00a0world \u00a0 again",
    "zero_width": "he\u200bllo \u200d wor\ufeffld",
    "right_to_left_mark": "\u200fhello\u202e dlrow",
    "decomposed": "cafe\u0301 de\u0301ja\u0300 vu",
    "composed": "café déjà vu",
    "mixed_case": "HeLLo WORLD ÉTÉ İstanbul ΣΊΣΥΦΟΣ straße",
    "double_spaces": "  two  spaces   here  ",
    "punctuation": "what?! (really) - it's \"quoted\", isn't it... #1 @you 50% $5",
    "number": "12345 3.14 -7 1e10",
    "nan": "nan",
    "none": "None",
    "null": "null",
    "special_symbols": "<PAD> <UNK> <SOS> <EOS> [CLS] [SEP] [MASK] [PAD] [UNK]",
    "markup": "<b>bold</b> &amp; {{ template }} ${x} \\n",
    "url": "https://example.com/a?b=c&d=é#f",
    "one_character": "x",
    "unknown_words": "qwxzv flurbish zzyzx",
    "long_word": "a" * 1000,
    "400_words": " ".join(f"word{number}" if number % 7 == 0 else "the" for number in range(400)),
    "surrogate_plane": "𝕳𝖊𝖑𝖑𝖔 𐍈 🂡",
}


UNKNOWN_WORD = "flurbish"
KNOWN_WORD_ROWS = 64


def values_to_try(feature: InputFeature, known_words: Sequence[str]) -> dict[str, Any]:
    """Return ordinary and unusual values of an input feature.

    Args:
        feature: The input feature.
        known_words: Tokens from the training data, for texts.

    Returns:
        The values, by their name in the certificate.
    """
    values = _values(feature, known_words)
    return {**values, "missing": None} if feature.fill_value is not None else values


def _values(feature: InputFeature, known_words: Sequence[str]) -> dict[str, Any]:
    match feature:
        case TextInput() | FastTextInput():
            return {**ODD_TEXTS, **_known_word_texts(known_words)}
        case NumberInput():
            return _numbered([1, 0.5, 3.14159, 1e6, "7", 2**24 + 1, *([] if _is_log(feature) else [0, -1.5, -1e6])])
        case BinaryInput(meanings=meanings):
            return _numbered(list(meanings) if meanings else [True, False])
        case CategoryInput(labels=labels):
            return _numbered([*labels[:12], f"  {labels[0]} ", UNKNOWN_WORD, ""])
        case SetInput(labels=labels, tokenizer=tokenizer) | BagInput(labels=labels, tokenizer=tokenizer):
            joint = {CommaTokenizer(): ",", UnderscoreTokenizer(): "_"}.get(tokenizer, " ")
            return _numbered([labels[-1], joint.join(labels[:3] * 2), joint.join([labels[0], UNKNOWN_WORD]), ""])
        case VectorInput(size=size):
            return _numbered([" ".join([number] * size) for number in ("0", "1", "-0.5", "1e3")])
        case DateInput(format=form):
            moments = [datetime(2024, 2, 29, 23, 59, 58), datetime(1999, 12, 31), datetime(2030, 7, 1, 12)]
            return _numbered([moment.strftime(form) if form else moment.isoformat(" ") for moment in moments])


def _numbered(values: Sequence[Any]) -> dict[str, Any]:
    return {f"value {number}": value for number, value in enumerate(values)}


def _is_log(feature: NumberInput) -> bool:
    return isinstance(feature.normalization, Log1p)


def _known_word_texts(tokens: Sequence[str]) -> dict[str, str]:
    """Return texts of random words that the model knows, some with an unknown word."""
    generator = random.Random(0)
    words = [token for token in tokens if token and not token.startswith(("<", "["))]
    texts = {}
    for number in range(KNOWN_WORD_ROWS if words else 0):
        chosen = [generator.choice(words) for _ in range(generator.randint(1, 24))]
        if generator.random() < 0.3:
            chosen.insert(generator.randrange(len(chosen)), UNKNOWN_WORD)
        texts[f"known words {number}"] = " ".join(word.removeprefix("##") for word in chosen)
    return texts
