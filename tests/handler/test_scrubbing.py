"""Personal data with a recognizable form is replaced before a text is stored; what slots need stays."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from handler.scrubbing import scrub

GOLDEN = [
    ("mail me at joe.doe+x@mail.example.co.uk.", "mail me at <email>."),
    ("josé@exämple.de, please", "<email>, please"),
    ("我的邮箱是joe@example.com谢谢", "我的邮箱是<email>谢谢"),
    ("joe @ example.com", "<email>"),
    ("بريدي joe＠example.com", "بريدي <email>"),
    ("موقع@مثال.إختبار", "<email>"),
    ("call +49 170 1234567 please", "call <phone> please"),
    ("call me on 0171/1234567", "call me on <phone>"),
    ("tel. 06 12 34 56 78 or 06.12.34.56.78", "tel. <phone> or <phone>"),
    ("(415) 555-2671", "<phone>"),
    ("call \u202a+44\u00a020\u20117946\u200e 0958\u202c now", "call \u202a<phone>\u202c now"),
    ("رقمي ٠٥٠١٢٣٤٥٦٧ أو +٩٦٦ ٥٠ ١٢٣ ٤٥٦٧", "رقمي <phone> أو <phone>"),
    ("شماره من ۰۹۱۲۳۴۵۶۷۸۹", "شماره من <phone>"),
    ("我的电话是13812345678请打给我", "我的电话是<number>请打给我"),
    ("card 4111 1111 1111 1111, exp 12/27", "card <card>, exp 12/27"),
    ("card 4111-1111-1111-1112", "card <number>"),
    ("بطاقة ٤١١١ ١١١١ ١١١١ ١١١١", "بطاقة <card>"),
    ("amex 378282246310005", "amex <card>"),
    ("iban DE89 3704 0044 0532 0130 00 please", "iban <iban> please"),
    ("be68539007547034 and MT84MALT011000012345MTLCAST001S", "<iban> and <iban>"),
    ("see https://x.example/reset?token=abc123, thanks", "see <url>, thanks"),
    ("(www.example.com/u/joe)", "(<url>)"),
    ("t.me/joe and example.com?code=1", "<url> and <url>"),
    ("link-http://user:password@host", "link-<url>"),
    ("BE68 5390 0754 7034 room 12", "<iban> room 12"),
    ("ip 10.0.0.12 and 2001:db8::1", "ip <ip> and <ip>"),
    ("::ffff:10.0.0.1", "::ffff:<ip>"),
    ("123456ab654321 and 123456ab", "<number> and <number>"),
    ("my key sk_live_4eC39HqLyjWDarjtT1zdp7dc", "my key <token>"),
    ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl", "<token>"),
    ("8f507cfc-1111-2222-3333-444455556666", "<token>"),
    ("order 100234 of passport AB1234567", "order <number> of passport <number>"),
    ("SSN 123-45-6789", "SSN <phone>"),
    ("on 2026-11-27 call 0171 1234567", "on 2026-11-27 call <phone>"),
    ("2026-11-27 0171 1234567", "2026-11-27 <phone>"),
]
KEPT = [
    "book 3 nights from 2026-11-27 to 28.11.2026 for 500 euros",
    "at 10:30:15 or 9.30",
    "XK-4471 in 75001 Paris, room 12",
    "1.500.000 euros in 2024-2025",
    "from ٢٠٢٦/١١/٢٧ to 12/05/27",
    "a@b and x:y::z, either/or, e.g./i.e.",
    "hello I'm Joe from C++ land",
    "",
]


@pytest.mark.parametrize(("text", "expected"), GOLDEN)
def test_personal_data_is_replaced(text: str, expected: str) -> None:
    assert scrub(text).text == expected


@pytest.mark.parametrize("text", KEPT)
def test_what_slots_need_stays(text: str) -> None:
    scrubbed = scrub(text)
    assert (scrubbed.text, list(scrubbed.replacements)) == (text, [])


PARTS = st.sampled_from(
    [
        *"0159 -./:@+(),<>\n١۹é中aZſ_=?％",
        "://",
        "www.",
        "::",
        "joe",
        "example.com",
        " and ",
        "4111 1111",
        "DE89",
        "\u200e",
    ]
)
TEXTS = st.one_of(st.text(max_size=60), st.lists(PARTS, max_size=24).map("".join))


@given(TEXTS)
def test_only_the_replaced_parts_change_and_none_overlap(text: str) -> None:
    scrubbed = scrub(text)
    edges = [edge for each in scrubbed.replacements for edge in (each.start, each.end)]
    assert edges == sorted(edges)
    assert all(each.start < each.end for each in scrubbed.replacements)
    kept = [text[start:end] for start, end in zip([0, *edges[1::2]], [*edges[::2], len(text)], strict=True)]
    tokens = [f"<{each.kind}>" for each in scrubbed.replacements]
    assert scrubbed.text == "".join(part + token for part, token in zip(kept, [*tokens, ""], strict=True))


@pytest.mark.parametrize(("text", "expected"), GOLDEN)
def test_scrubbing_again_changes_nothing(text: str, expected: str) -> None:
    assert scrub(expected).text == expected


@given(
    before=st.text(alphabet="ab ج中,", max_size=12),
    after=st.text(alphabet=" ,ج中", max_size=5),
    digits=st.text(alphabet="0123456789", min_size=6, max_size=30),
    script=st.sampled_from(["0123456789", "٠١٢٣٤٥٦٧٨٩", "۰۱۲۳۴۵۶۷۸۹", "０１２３４５６７８９"]),
)
def test_no_long_number_stays_in_any_script(before: str, after: str, digits: str, script: str) -> None:
    written = digits.translate(str.maketrans("0123456789", script))
    assert not any(each.isdecimal() for each in scrub(before + written + after).text)


@given(
    before=TEXTS,
    local=st.from_regex(r"[a-z][a-z0-9._]{0,9}[a-z]", fullmatch=True),
    after=st.sampled_from(["", " x", ",", "؟"]),
)
def test_no_address_stays(before: str, local: str, after: str) -> None:
    assert f"{local}@mail.example" not in scrub(f"{before} {local}@mail.example{after}").text


@given(TEXTS, st.data())
@example("call 0171 1234567 now", None)
def test_a_span_keeps_its_text_unless_a_replacement_cuts_it(text: str, data: st.DataObject | None) -> None:
    scrubbed = scrub(text)
    start = data.draw(st.integers(0, len(text))) if data else 5
    end = data.draw(st.integers(start, len(text))) if data else 17
    moved = scrubbed.moved(start, end)
    if moved is None:
        assert any(each.start < end and start < each.end for each in scrubbed.replacements)
        return
    (first, last), touched = moved
    inside = [each for each in scrubbed.replacements if start <= each.start and each.end <= end and start < end]
    assert touched is bool(inside)
    expected, position = "", start
    for each in inside:
        expected += text[position : each.start] + f"<{each.kind}>"
        position = each.end
    assert scrubbed.text[first:last] == expected + text[position:end]
