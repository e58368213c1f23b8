"""What counts as evidence of a text's language."""

import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handler.evidence import LONGEST, Evidence, main_script, script_of, words_of

EVIDENCE = Evidence(
    letters=16,
    words={"en": "hello the", "fr": "bonjour été", "ar": "ok"},
    scripts={"ARABIC": ["ar"], "LATIN": ["en", "fr"]},
)
CAUTIOUS = Evidence(letters=5)
NOTHING = [
    "",
    " ",
    "?",
    "!!!",
    "👍",
    "👩‍👩‍👧",
    "12345",
    "٣٤",
    "12:30",
    "XK-4471",
    "BK20418",
    "5pm",
    "a@b.com",
    "https://x.org/a",
    "a/b",
    "notes.txt",
]


@pytest.mark.parametrize("text", NOTHING)
@pytest.mark.parametrize("evidence", [EVIDENCE, CAUTIOUS], ids=["fitted", "cautious"])
def test_a_text_without_ordinary_words_is_no_evidence(evidence: Evidence, text: str) -> None:
    assert words_of(text) == []
    assert evidence.judge(text, "fr") is False


@pytest.mark.parametrize(
    ("text", "label", "expected"),
    [
        ("bonjour", "fr", True),
        ("Bonjour!", "fr", True),
        ("BONJOUR, XK-4471", "fr", True),
        ("ÉTÉ", "fr", True),
        ("e\u0301te\u0301", "fr", True),
        ("bonjour", "en", False),
        ("hello bonjour", "fr", False),
        ("hello bonjour mon ami, comment vas-tu", "fr", None),
        ("menu", "fr", False),
        ("Casablanca", "fr", False),
        ("OK", "en", False),
        ("reservation restaurant", "en", None),
        ("لا", "ar", True),
        ("مَرْحَبًا", "ar", True),
        ("لا", "en", False),
        ("привет", "en", False),
        ("привет как твои дела сегодня", "en", False),
        ("你好", "fr", False),
        ("ｈｅｌｌｏ", "en", True),
        ("reservation restaurant", "ar", False),
    ],
)
def test_known_words_and_scripts_are_evidence(text: str, label: str, expected: bool | None) -> None:
    assert EVIDENCE.judge(text, label) is expected


@pytest.mark.parametrize(
    ("text", "expected"), [("hello", None), ("menu", False), ("مرحبا", None), ("a b c d", False), ("how are you", None)]
)
def test_without_known_words_letters_count(text: str, expected: bool | None) -> None:
    assert CAUTIOUS.judge(text, "fr") is expected


def test_in_scripts_without_spaces_each_letter_is_a_word() -> None:
    assert words_of("こんにちは OK") == [*"こんにちは", "ok"]
    shared = Evidence(
        letters=16, words={"ja": "の は", "zh": "们 你"}, scripts={"CJK": ["ja", "zh"], "HIRAGANA": ["ja"]}
    )
    assert shared.judge("你好", "zh") is True
    assert shared.judge("東京", "zh") is False
    assert shared.judge("の東京", "ja") is True


def test_combining_marks_do_not_split_a_word() -> None:
    assert words_of("نَعَمْ d'accord naïve") == ["نعم", "d", "accord", "naïve"]
    assert words_of("नमस्ते") == ["नमसत"]


def test_every_letter_has_a_script() -> None:
    letters = [chr(code) for code in range(sys.maxunicode + 1) if unicodedata.category(chr(code)).startswith("L")]
    assert {script_of(letter) for letter in "aéДبあ漢ぁ"} == {"LATIN", "CYRILLIC", "ARABIC", "HIRAGANA", "CJK"}
    assert all(script_of(letter) for letter in letters)
    assert main_script(["ab", "привет"]) == "CYRILLIC"


def test_only_the_start_of_a_long_text_is_examined() -> None:
    assert words_of("a" * LONGEST * 2) == ["a" * LONGEST]


@given(text=st.text(), label=st.sampled_from(["en", "fr", "ar"]))
def test_every_text_is_judged(text: str, label: str) -> None:
    for evidence in (EVIDENCE, CAUTIOUS):
        judged = evidence.judge(text, label)
        assert judged is False or any(character.isalpha() for character in unicodedata.normalize("NFKC", text))
        assert evidence.judge(f"{text} XK-4471 ?", label) == judged or len(text) > LONGEST - 11


@given(text=st.text(st.characters(max_codepoint=127), max_size=40))
def test_words_in_ascii_are_those_of_other_texts(text: str) -> None:
    assert [*words_of(text), "ü"] == words_of(f"{text} ü")
    assert not words_of(text) or main_script(words_of(text)) == script_of("a")
