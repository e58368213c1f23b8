"""Rows that people send and training data lacks; every bundle must answer them as its model does."""

import random
from collections.abc import Sequence

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


def known_word_texts(tokens: Sequence[str], count: int, seed: int = 0) -> list[str]:
    """Return texts of words that the model knows, in random order, with unknown ones among them."""
    generator = random.Random(seed)
    words = [token for token in tokens if token and not token.startswith(("<", "["))] or ["word"]
    texts = []
    for _ in range(count):
        chosen = [generator.choice(words) for _ in range(generator.randint(1, 24))]
        if generator.random() < 0.3:
            chosen.insert(generator.randrange(len(chosen)), "flurbish")
        texts.append(" ".join(word.removeprefix("##") for word in chosen))
    return texts
