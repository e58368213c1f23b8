"""The compact answer for any chatbot, through the Lambda function."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from handler.__main__ import main
from handler.affixes import Affixes
from handler.auth import new_token
from handler.bundle import MANIFEST
from handler.errors import BundleError
from handler.golden import replay
from handler.predictor import load_predictors
from handler.tokenizers import CharactersTokenizer
from handler.vocabulary import EntityVocabulary, EntityWords, Pattern, Value
from handler.words import in_word
from tests.bundles import CRASH, INTENT, LANGUAGE, TAGGER, Head, edit_manifest, give_entities, write_bundle
from tests.handler.deployment import Answer, Send, deploy, predict
from tests.hexabot_client import multipart

KEYS = ["text", "language", "intent", "entities", "traits", "models", "below_threshold"]
AFFIXES = Affixes([1])
"""A tagger with affixes splits at any white space."""
CITIES = EntityWords(
    name="city",
    values=[Value(value="New York City", synonyms=["New York", "NYC", "la grosse pomme"]), Value(value="Yahoo!")],
)


def ask(send: Send, **fields: Any) -> Answer:
    body = json.dumps(fields).encode()
    return send("POST", "/understand", body, headers={"content-type": "application/json"})


def understand(send: Send, text: str, **fields: Any) -> Any:
    """Send a text, and check what must hold for every answer."""
    answer = ask(send, text=text, **fields)
    assert answer.status == 200
    found = answer.json()
    assert list(found) == KEYS
    assert found["text"] == text
    check_entities(text, found["entities"])
    return found


def check_entities(text: str, entities: list[dict[str, Any]]) -> None:
    """Check that offsets are in UTF-16 code units, and that no entity is blank or has surrounding white space."""
    units = text.encode("utf-16-le", "surrogatepass")
    for entity in entities:
        assert units[2 * entity["start"] : 2 * entity["end"]].decode("utf-16-le") == entity["value"]
        assert entity["value"] == entity["value"].strip()
        assert any(map(in_word, entity["value"]))
        assert 0 <= entity["confidence"] <= 1
    assert [entity["start"] for entity in entities] == sorted(entity["start"] for entity in entities)


def values(send: Send, text: str) -> list[tuple[str, str]]:
    return [(each["entity"], each["value"]) for each in understand(send, text)["entities"]]


def tagger(folder: Path, tags: Mapping[str, str], *entities: EntityWords) -> Send:
    """Deploy a tagger that gives each known word its tag."""
    head = Head(name="slots", kind="sequence", words=tags)
    return deploy(give_entities(write_bundle(folder, head, length=60, affixes=AFFIXES), *entities))


@pytest.fixture(scope="module")
def send(bundles: Path) -> Send:
    """Deploy language, intent and slots."""
    return deploy(bundles)


def test_the_answer_has_all_keys(send: Send) -> None:
    found = understand(send, "fly to Paris tomorrow 😀 Paris")
    assert found["language"]["value"] == "en"
    assert found["intent"]["name"] == "book_flight"
    assert found["intent"]["ranking"][0] == {
        "name": "book_flight",
        "confidence": found["intent"]["confidence"],
    }
    assert {each["name"] for each in found["intent"]["ranking"]} == {"book_flight", "book_hotel", "greeting"}
    assert [(each["entity"], each["value"], each["start"], each["end"]) for each in found["entities"]] == [
        ("city", "Paris", 7, 12),
        ("date", "tomorrow", 13, 21),
        ("city", "Paris", 25, 30),
    ]
    assert {(each["canonicalValue"] == each["value"], each["source"]) for each in found["entities"]} == {
        (True, "model")
    }
    assert found["models"] == {name: {"status": "success"} for name in ("intent", "language", "slots")}
    assert (found["traits"], found["below_threshold"]) == ({}, {})


C = "B-city"
I = "I-city"  # noqa: E741
AWKWARD: list[tuple[str, str, list[str]]] = [
    # a text, the words that the model tags B-city (or I-city, after +), and what a person would mark
    ("Fly to Paris.", "Paris.", ["Paris"]),
    ("Cairo, please", "Cairo,", ["Cairo"]),
    ('to "Paris"?!', "Paris", ["Paris"]),
    ("(Paris)", "Paris", ["Paris"]),
    ("to Paris (Texas)", "Paris +Texas", ["Paris (Texas)"]),
    ("¿Madrid?", "¿Madrid?", ["Madrid"]),
    ("«Paris»", "Paris", ["Paris"]),
    ("**Paris**", "**Paris**", ["Paris"]),
    ("Paris…", "Paris", ["Paris"]),
    ("-Paris", "-Paris", ["Paris"]),
    ("Saint-Denis,", "Saint-Denis,", ["Saint-Denis"]),
    ("New York to New York", "New +York", ["New York", "New York"]),
    ("Paris\tCairo", "Paris Cairo", ["Paris", "Cairo"]),
    ("New\tYork", "New +York", ["New\tYork"]),
    ("New  York  now", "New +York", ["New  York"]),
    ("to New\nYork", "New +York", ["New\nYork"]),
    ("  Paris  ", "Paris", ["Paris"]),
    ("Paris Cairo", "Paris Cairo", ["Paris", "Cairo"]),
    ("York, York", "York, +York", ["York, York"]),
    ("...", "...", []),
    ("Paris , Cairo", "Paris , Cairo", ["Paris", "Cairo"]),
    ("à l'hôtel", "l'hôtel", ["hôtel"]),
    ("à l’hôtel.", "l’hôtel.", ["hôtel"]),
    ("près d'Oslo", "d'Oslo", ["Oslo"]),
    ("L'hôtel", "L'hôtel", ["hôtel"]),
    ("L'Oréal", "L'Oréal", ["L'Oréal"]),
    ("O'Hare", "O'Hare", ["O'Hare"]),
    ("all'aeroporto", "all'aeroporto", ["aeroporto"]),
    ("qu'Alger", "qu'Alger", ["Alger"]),
    ("tomorrow's weather", "tomorrow's", ["tomorrow"]),
    ("London's weather", "London's", ["London"]),
    ("at McDonald's", "McDonald's", ["McDonald's"]),
    ("at McDonald's in town", "McDonald's", ["McDonald's"]),
    ("at 5 p.m.", "5 +p.m.", ["5 p.m."]),
    ("in the U.S.A.", "U.S.A.", ["U.S.A."]),
    ("it is -5", "-5", ["-5"]),
    ("for $20, please", "$20,", ["$20"]),
    ("pour 20 €.", "20 +€.", ["20 €"]),
    ("50%!", "50%!", ["50%"]),
    ("I like C++.", "C++.", ["C++"]),
    ("see #42", "#42", ["#42"]),
    ("Paris🎉", "Paris", ["Paris"]),
    ("🎉 Paris 🏖️", "🎉 Paris +🏖️", ["Paris"]),
    ("إلى القاهرة،", "القاهرة،", ["القاهرة"]),
    ("باريس والقاهرة", "باريس والقاهرة", ["باريس", "القاهرة"]),
    ("إلى والت ديزني", "والت +ديزني", ["والت ديزني"]),
    ("\u200fباريس\u200f", "باريس", ["باريس"]),
    ("Zu\u0308rich.", "Zu\u0308rich.", ["Zu\u0308rich"]),
    ("हिन्दी।", "हिन्दी।", ["हिन्दी"]),
    ("去北京。", "去北京。", ["去北京"]),
]


@pytest.mark.parametrize(("text", "tagged", "expected"), AWKWARD, ids=[ascii(text) for text, *_ in AWKWARD])
def test_an_entity_is_what_a_person_would_mark(tmp_path: Path, text: str, tagged: str, expected: list[str]) -> None:
    tags = {word.removeprefix("+"): I if word.startswith("+") else C for word in tagged.split()}
    send = tagger(tmp_path / "slots", tags)
    assert [value for _, value in values(send, text)] == expected


@pytest.mark.parametrize("wide", ["", "😀", "𝒳 é ", "e\u0301", "ß"])
def test_offsets_are_utf16(tmp_path: Path, wide: str) -> None:
    send = tagger(tmp_path / "slots", {"Paris": C, "Paris.": C})
    text = f"{wide} Paris {wide} Paris."
    first, second = understand(send, text)["entities"]
    units = len(text[: text.index("Paris")].encode("utf-16-le")) // 2
    assert (first["start"], first["end"], second["value"]) == (units, units + 5, "Paris")


@given(text=st.text() | st.text(alphabet="Paris New York,.'l \t\n😀\u0301", max_size=60))
def test_any_text_has_sound_entities(send: Send, text: str) -> None:
    understand(send, text)


@given(
    words=st.lists(st.sampled_from(["fly", "to", "Paris", "New York", "tomorrow"]), max_size=5),
    space=st.sampled_from([" ", "  ", "\t", "\n", " \r\n ", "\u00a0", "\u3000"]),
)
def test_white_space_does_not_change_the_entities(send: Send, words: list[str], space: str) -> None:
    entities = {"Paris": "city", "New York": "city", "tomorrow": "date"}
    text = space + space.join(words) + space
    assert values(send, text) == [(entities[word], word) for word in words if word in entities]


@pytest.mark.parametrize(
    ("text", "value", "canonical"),
    [
        ("fly to NYC!", "NYC", "New York City"),
        ("fly to nyc", "nyc", "New York City"),
        ("New \t york", "New \t york", "New York City"),
        ("Yahoo!", "Yahoo!", "Yahoo!"),
        ("Paris", "Paris", "Paris"),
        ("la \n pomme", "la \n pomme", "la pomme"),
    ],
)
def test_a_synonym_has_its_main_value(tmp_path: Path, text: str, value: str, canonical: str) -> None:
    tags = {"NYC!": C, "nyc": C, "New": C, "york": I, "Yahoo!": C, "Paris": C, "la": C, "pomme": I}
    (entity,) = understand(tagger(tmp_path / "slots", tags, CITIES), text)["entities"]
    assert (entity["value"], entity["canonicalValue"], entity["source"]) == (value, canonical, "model")


@pytest.mark.parametrize(
    ("text", "word", "expected"),
    [
        ("في بعمان", "بعمان", "عمان"),
        ("אני בתל אביב", "בתל +אביב", "תל אביב"),
        ("서울에서 만나요", "서울에서", "서울"),
        ("İstanbul'da", "İstanbul'da", "İstanbul"),
        ("Oslo's best", "Oslo's", "Oslo"),
        ("L'Hôpital", "L'Hôpital", "L'Hôpital"),
    ],
)
def test_the_vocabulary_decides_where_a_word_ends(tmp_path: Path, text: str, word: str, expected: str) -> None:
    known = [Value(value=value) for value in ("عمان", "תל אביב", "서울", "İstanbul", "Oslo", "L'Hôpital")]
    tags = {each.removeprefix("+"): I if each.startswith("+") else C for each in word.split()}
    send = tagger(tmp_path / "slots", tags, EntityWords(name="city", values=known))
    assert values(send, text) == [("city", expected)]


@pytest.mark.parametrize(
    ("text", "tags", "expected"),
    [
        ("去北京明天", {"北": C, "京": I, "明": "B-date", "天": "I-date"}, [("city", "北京"), ("date", "明天")]),
        ("l'hôtel d'Oran", {"O": C, "r": I, "a": I, "n": I}, [("city", "Oran")]),
        ("ไปเชียงใหม่", {"เ": C, "ช": I, "ี": I, "ย": I, "ง": I, "ใ": I, "ห": I, "ม": I, "่": I}, [("city", "เชียงใหม่")]),
        ("comparing", {"p": C, "a": I, "r": I}, []),
    ],
)
def test_token_tags_can_mark_part_of_a_word(
    tmp_path: Path, text: str, tags: dict[str, str], expected: list[tuple[str, str]]
) -> None:
    head = Head(name="slots", kind="sequence", words=tags, tag_unit="token")
    send = deploy(write_bundle(tmp_path / "slots", head, tokenizer=CharactersTokenizer(), length=60))
    assert values(send, text) == expected


def test_only_requested_intents_are_answered(send: Send) -> None:
    free, found = understand(send, "fly"), understand(send, "fly", intents=["book_hotel", "greeting", "unheard_of"])
    assert free["intent"]["name"] == "book_flight"
    assert {each["name"] for each in found["intent"]["ranking"]} == {"book_hotel", "greeting"}
    assert found["intent"]["confidence"] < 0.1
    assert found["intent"]["ranking"] == free["intent"]["ranking"][1:]
    assert understand(send, "fly", intents="book_flight, greeting")["intent"]["name"] == "book_flight"
    assert understand(send, "fly", intents=["unheard_of"])["intent"] == {"name": None, "confidence": 0.0, "ranking": []}


@pytest.mark.parametrize("text", ["", " ", "\t\n"])
def test_a_blank_message_has_no_intent_and_no_language(send: Send, text: str) -> None:
    found = understand(send, text)
    assert (found["intent"]["name"], found["language"]["confidence"], found["entities"]) == (None, 0.0, [])


def test_an_unsure_answer_is_withheld(tmp_path: Path) -> None:
    for head in (INTENT, LANGUAGE):
        outputs = msgspec.json.decode((write_bundle(tmp_path / head.name, head) / MANIFEST).read_bytes())["outputs"]
        thresholds = {"default": 0.9999, "by_label": {"greeting": 0.5}}
        edit_manifest(tmp_path / head.name, outputs=[{**outputs[0], "thresholds": thresholds}])
    send = deploy(tmp_path, NLU_DEFAULT_LANGUAGE="fr")
    found = understand(send, "fly")
    assert (found["intent"]["name"], found["intent"]["confidence"]) == (None, 0.0)
    assert found["intent"]["ranking"][0]["name"] == "book_flight"
    assert found["below_threshold"]["intent"] == found["intent"]["ranking"][0]
    assert understand(send, "to to")["language"] == {"value": "en", "confidence": pytest.approx(1.0, abs=1e-4)}
    vague = understand(send, "who")
    assert vague["language"] == {"value": "fr", "confidence": 0.0}
    assert understand(send, "hello")["intent"]["name"] == "greeting"
    hotel = understand(send, "fly", intents=["book_hotel"])
    assert (hotel["intent"]["name"], hotel["below_threshold"]["intent"]["name"]) == (None, "book_hotel")


def test_without_models_the_keys_are_the_same(bundles: Path) -> None:
    found = understand(deploy(bundles / "slots", NLU_DEFAULT_LANGUAGE="fr"), "fly")
    assert found["language"] == {"value": "fr", "confidence": 1.0}
    assert found["intent"] == {"name": None, "confidence": 0.0, "ranking": []}


def test_a_failed_model_does_not_affect_the_other_answers(tmp_path: Path) -> None:
    for head in (INTENT, LANGUAGE, TAGGER):
        write_bundle(tmp_path / head.name, head, breaking=head is not INTENT)
    found = understand(deploy(tmp_path), f"fly to Paris {CRASH}")
    assert found["intent"]["name"] == "book_flight"
    assert (found["language"], found["entities"]) == ({"value": "en", "confidence": 0.0}, [])
    assert [each["status"] for each in found["models"].values()] == ["success", "failed", "failed"]
    assert "log" in found["models"]["slots"]["error"]


@pytest.mark.parametrize(
    ("fields", "status", "message"),
    [
        ({}, 400, "The field 'text' is missing: send the message as a form field or a JSON key."),
        ({"text": None}, 400, "'text' must be a string"),
        ({"text": 5}, 400, "'text' must be a string"),
        ({"text": "a", "model": "color"}, 400, "Invalid model names"),
        ({"text": "a", "intents": {"a": 1}}, 400, "'intents' must be"),
        ({"text": "a", "intents": [1]}, 400, "'intents' must be"),
        ({"text": "a" * 20_000}, 413, "A text has 20000 characters"),
    ],
)
def test_an_invalid_request_is_explained(send: Send, fields: dict[str, Any], status: int, message: str) -> None:
    answer = ask(send, **fields)
    assert (answer.status, message in answer.json()["error"]) == (status, True)


def test_forms_are_read_and_other_methods_refused(send: Send) -> None:
    content_type, body = multipart({"text": "fly to Paris", "intents": "greeting", "model": "intent"})
    found = send("POST", "/understand", body, headers={"content-type": content_type}).json()
    assert (found["intent"]["name"], found["entities"]) == ("greeting", [])
    assert send("GET", "/understand").status == 405


def test_a_token_is_required(bundles: Path) -> None:
    token, digest = new_token()
    send = deploy(bundles, NLU_OPEN="0", NLU_TOKEN_DIGESTS=digest)
    body, kind = b'{"text": "fly"}', {"content-type": "application/json"}
    assert send("POST", "/understand", body, headers=kind).status == 401
    for extra in ({"query": f"token={token}"}, {"headers": kind | {"authorization": f"Bearer {token}"}}):
        assert send("POST", "/understand", body, **({"headers": kind} | extra)).status == 200


FOUND = [
    EntityWords(
        name="city",
        values=[Value(value="Paris", synonyms=["Lutèce", "the city of light"])],
        keywords=["Paris", "Lutèce", "the city of light", "北京", "عمان", "ll"],
    ),
    EntityWords(name="size", keywords=["large", "extra large", "S"]),
    EntityWords(
        name="code",
        patterns=[Pattern(pattern="[a-z]{2} ?\\d{4}", whole_words=True, changes=["remove_spaces", "lowercase"])],
    ),
]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("an Extra  large one", [("size", "Extra  large", "extra large", "keyword")]),
        ("enlarge it's larger", []),
        ("I'll take S.", [("size", "S", "S", "keyword")]),
        ("à LUTÈCE, THE CITY\nof light", [("city", "LUTÈCE", "Paris", "keyword"), ("city", "THE CITY\nof light", "Paris", "keyword")]),  # noqa: E501
        ("Lute\u0300ce et Lutece", [("city", "Lute\u0300ce", "Paris", "keyword")]),
        ("Parisian comparisons", []),
        ("我去北京。", [("city", "北京", "北京", "keyword")]),
        ("وعمان", [("city", "عمان", "عمان", "keyword")]),
        ("عمانَ", [("city", "عمانَ", "عمان", "keyword")]),
        ("code AB 1234, not xab1234", [("code", "AB 1234", "ab1234", "pattern")]),
        ("😀ab1234", [("code", "ab1234", "ab1234", "pattern")]),
    ],
    ids=ascii,
)  # fmt: skip
def test_keywords_and_patterns_are_found(tmp_path: Path, text: str, expected: list[tuple[str, ...]]) -> None:
    found = understand(tagger(tmp_path / "slots", {"x": C}, *FOUND), text)["entities"]
    assert [tuple(each[key] for key in ("entity", "value", "canonicalValue", "source")) for each in found] == expected
    assert all(each["confidence"] == 1.0 for each in found)


def test_a_value_of_a_model_comes_before_keywords_and_patterns(tmp_path: Path) -> None:
    entities = [
        EntityWords(name="city", keywords=["Paris", "York"], patterns=[Pattern(pattern="york")]),
        EntityWords(name="state", keywords=["New York"], patterns=[Pattern(pattern="york")]),
    ]
    found = understand(tagger(tmp_path / "slots", {"New": C, "York": I}, *entities), "New York or Paris")["entities"]
    assert [(each["entity"], each["value"], each["source"]) for each in found] == [
        ("city", "New York", "model"),
        ("state", "York", "pattern"),
        ("city", "Paris", "keyword"),
    ]


@given(text=st.text() | st.text(alphabet="Paris extralgSnw 北京عمان1234ab'.\u0301\u0640 ", max_size=40))
def test_any_text_has_sound_keywords(known: Send, text: str) -> None:
    understand(known, text)


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Send:
    return tagger(tmp_path_factory.mktemp("known") / "slots", {"Paris": C}, *FOUND)


@given(value=st.text() | st.text(alphabet="aB' `\t", max_size=9))
def test_a_value_is_found_again_however_it_is_spaced(value: str) -> None:
    vocabulary = EntityVocabulary([EntityWords(name="x", values=[Value(value=value)])])
    assert vocabulary.main_value("x", f" {value}\n ") == value


def test_bundles_that_share_a_vocabulary_find_a_keyword_once(tmp_path: Path) -> None:
    for head in (INTENT, LANGUAGE):
        give_entities(write_bundle(tmp_path / head.name, head), *FOUND)
    found = understand(deploy(tmp_path), "an extra large one")["entities"]
    assert [(each["entity"], each["value"]) for each in found] == [("size", "extra large")]


def test_a_bundle_with_a_pattern_that_cannot_be_run_fails_its_check(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The first answer of `/predict` does not read the vocabulary, but the check before a deployment does."""
    folder = write_bundle(tmp_path / "intent", INTENT)
    give_entities(folder, EntityWords(name="x", patterns=[Pattern(pattern="(a)\\1")]))
    with pytest.raises(BundleError, match=r"the pattern '\(a\)\\\\1' of 'x': it has a backreference"):
        replay(load_predictors([folder]))
    assert main(["check", str(folder)]) == 1
    assert "it has a backreference" in capsys.readouterr().err
    send = deploy(folder)
    assert predict(send, {"text": "fly"}).status == 200
    assert ask(send, text="fly").status == 500
