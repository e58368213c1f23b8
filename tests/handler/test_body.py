"""Parse request bodies into named values."""

import gzip
import zlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from urllib.parse import urlencode

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from handler.body import MAX_FIELDS, decompressed, parse_body
from handler.errors import PayloadTooLargeError, RequestError, UnsupportedContentError
from handler.multipart import any_fields, simple_fields
from tests.hexabot_client import BOUNDARY, multipart

MULTIPART = f"multipart/form-data; boundary={BOUNDARY}"
URLENCODED = "application/x-www-form-urlencoded"
JSON = "application/json"
LATIN_1 = st.text(st.characters(max_codepoint=255))
FIELDS = st.dictionaries(st.text(st.characters(categories=["L", "Nd"]), min_size=1), st.text(), max_size=4)


def part(value: bytes, headers: bytes = b'Content-Disposition: form-data; name="text"') -> bytes:
    """Return a multipart body with one part."""
    boundary = BOUNDARY.encode()
    return b"--" + boundary + b"\r\n" + headers + b"\r\n\r\n" + value + b"\r\n--" + boundary + b"--\r\n"


@given(fields=FIELDS)
def test_multipart_values_come_back_untouched(fields: Mapping[str, str]) -> None:
    assert parse_body(*multipart(fields)) == fields


PIECES = [
    b"--" + BOUNDARY.encode(),
    b"--",
    b"\r\n",
    b'Content-Disposition: form-data; name="text"\r\n\r\n',
    b'content-disposition: form-data; name="a_b"\r\n\r\n',
    b'Content-Disposition: form-data; name="x"; filename="y"\r\n\r\n',
    b"Content-Type: text/plain\r\n",
    b"value",
    b"\xff",
    "é".encode(),
]


@example(pieces=[PIECES[0], PIECES[2], PIECES[3], PIECES[7], PIECES[2], PIECES[0], PIECES[1]])
@given(pieces=st.lists(st.sampled_from(PIECES), max_size=14))
def test_a_simple_form_has_the_fields_that_python_multipart_finds(pieces: list[bytes]) -> None:
    body, boundary = b"".join(pieces), BOUNDARY.encode()
    try:
        found = simple_fields(body, boundary)
    except UnicodeDecodeError:
        with pytest.raises(UnicodeDecodeError):
            any_fields(body, boundary)
        return
    assert found is None or found == any_fields(body, boundary)


@given(fields=FIELDS)
def test_a_form_of_axios_is_simple(fields: Mapping[str, str]) -> None:
    content_type, body = multipart(
        {f"field_{number}": value for number, value in enumerate(fields.values())} | {"x": ""}
    )
    assert simple_fields(body, BOUNDARY.encode()) == parse_body(content_type, body)


@given(fields=FIELDS)
def test_urlencoded_values_come_back_untouched(fields: Mapping[str, str]) -> None:
    assert parse_body(URLENCODED, urlencode(fields).encode()) == fields


@given(fields=st.dictionaries(st.text(), st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.text())))
def test_json_values_come_back_untouched(fields: Mapping[str, object]) -> None:
    assert parse_body(JSON, msgspec.json.encode(fields)) == fields


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        (f'Multipart/Form-Data; charset=utf-8; boundary="{BOUNDARY}"', part("é ".encode())),
        (MULTIPART, part("é ".encode(), b"content-disposition: form-data; name=text\r\nContent-Type: text/plain")),
        (MULTIPART, part("é ".encode()) + b"epilogue"),
        (f"{URLENCODED}; charset=UTF-8", b"text=%C3%A9+"),
        ("APPLICATION/X-WWW-FORM-URLENCODED", "text=é ".encode()),
        (f"{JSON};charset=utf-8", b'{"text": "\\u00e9 "}'),
        (JSON, b' \n{"text": "\xc3\xa9 "}'),
        (JSON, '{"text": "é "}'.encode("utf-8-sig")),
        (JSON, '{"text": "é "}'.encode("utf-16")),
        (JSON, b"\xfe\xff" + '{"text": "é "}'.encode("utf-16-be")),
        (f"{JSON}; charset=utf-16", '{"text": "é "}'.encode("utf-16")),
        (f"{JSON}; charset=UTF-16LE", '{"text": "é "}'.encode("utf-16-le")),
        (f'{JSON}; charset="ISO-8859-1"', b'{"text": "\xe9 "}'),
        (URLENCODED, "text=é ".encode("utf-8-sig")),
        (f"{URLENCODED}; charset=iso-8859-1", b"text=%E9+"),
    ],
    ids=lambda value: None,
)
def test_encodings_of_the_same_fields_are_equal(content_type: str, body: bytes) -> None:
    assert parse_body(content_type, body) == {"text": "é "}


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        (MULTIPART, part(b"1")[: -len(BOUNDARY) - 6] + part(b"2")),
        (URLENCODED, b"text=1&text=2"),
        (JSON, b'{"text": "1", "text": "2"}'),
    ],
    ids=["multipart", "urlencoded", "json"],
)
def test_the_last_value_of_a_repeated_name_wins(content_type: str, body: bytes) -> None:
    assert parse_body(content_type, body) == {"text": "2"}


@pytest.mark.parametrize(
    ("content_type", "body"),
    [(MULTIPART, part(b"")), (URLENCODED, b"text="), (JSON, b'{"text": ""}')],
    ids=["multipart", "urlencoded", "json"],
)
def test_an_empty_value_is_a_value(content_type: str, body: bytes) -> None:
    assert parse_body(content_type, body) == {"text": ""}


@pytest.mark.parametrize("content_type", ["", "text/plain", "application/xml; x=y", "json", ";", "multipart/mixed"])
def test_other_content_types(content_type: str) -> None:
    with pytest.raises(
        UnsupportedContentError, match=r"send one of multipart/form-data, .*urlencoded, application/json"
    ):
        parse_body(content_type, b"{}")


@pytest.mark.parametrize(
    ("content_type", "body", "message"),
    [
        ("multipart/form-data", part(b"a"), "has no boundary in its content type"),
        ("multipart/form-data; boundary=", part(b"a"), "has no boundary in its content type"),
        ("multipart/form-data; boundary=other", part(b"a"), "is malformed"),
        (MULTIPART, b"", "ends before the closing boundary"),
        (MULTIPART, part(b"a")[:-4], "ends before the closing boundary"),
        (MULTIPART, part(b"a")[:40], "is malformed|breaks off"),
        (MULTIPART, part(b"a" * 50)[:-70], "ends before the closing boundary"),
        (MULTIPART, part(b"a", b"Content-Disposition: form-data"), "is malformed"),
        (MULTIPART, part(b"a", b"X: y"), "is malformed"),
        (MULTIPART, part(b"a", b"no header"), "is malformed"),
        (MULTIPART, part(b"a", b'Content-Disposition: form-data; name="f"; filename="x.csv"'), "'f' is a file; send"),
        (MULTIPART, part(b"\xff"), "is not valid UTF-8: byte 0 of a value"),
        (MULTIPART, part(b"a", b'Content-Disposition: form-data; name="\xff"'), "is not valid UTF-8"),
        (MULTIPART, part(b"a", b'Content-Disposition: form-data; name="\xff"; filename="x"'), "is not valid UTF-8"),
        (URLENCODED, b"text=a\xff", "is not valid UTF-8: byte 6 of a value"),
        (URLENCODED, b"text=%FF", "is not valid UTF-8"),
        (JSON, b'{"text": "\xff"}', "is not valid UTF-8"),
        (JSON, b'{"text": "\\ud800"}', "is not JSON"),
        (JSON, b'{"text": "a\\udc00b", "more": 1}', "is not JSON"),
        (JSON, b"", "is not JSON"),
        (JSON, b'{"text": NaN}', "is not JSON"),
        (JSON, b"[" * 100_000, "is not JSON"),
        (JSON, b'["text"]', r'must be an object such as \{"text": "hello"\}, found list'),
        (JSON, b'"text"', "found str"),
        (JSON, b"null", "found NoneType"),
        (JSON, '{"text": "é"}'.encode("utf-16-le"), "is not valid UTF-8"),
        (JSON, "é".encode("utf-16") + b"\x00", "is not valid UTF-16-LE: byte 2 of a value"),
        (f"{JSON}; charset=utf-7", b'{"text": "\xff"}', "is not valid UTF-8"),
    ],
    ids=lambda value: None if not isinstance(value, str) else value[:40],
)
def test_malformed_bodies_are_refused(content_type: str, body: bytes, message: str) -> None:
    with pytest.raises(RequestError, match=message):
        parse_body(content_type, body)


@pytest.mark.parametrize("kind", ["multipart", "urlencoded"])
def test_the_number_of_fields_is_limited(kind: str) -> None:
    def body(count: int) -> tuple[str, bytes]:
        fields = {f"f{number}": "" for number in range(count)}
        return multipart(fields) if kind == "multipart" else (URLENCODED, urlencode(fields).encode())

    assert len(parse_body(*body(MAX_FIELDS))) == MAX_FIELDS
    with pytest.raises(RequestError, match="fields"):
        parse_body(*body(MAX_FIELDS + 1))


@pytest.mark.parametrize(
    ("encoding", "compress"),
    [("gzip", gzip.compress), ("X-GZIP ", gzip.compress), ("deflate", zlib.compress), ("identity", bytes), ("", bytes)],
)
def test_a_compressed_body_is_read(encoding: str, compress: Callable[[bytes], bytes]) -> None:
    body = b'{"text": "hello"}'
    assert decompressed(encoding, compress(body), len(body)) == body
    if compress is not bytes:
        with pytest.raises(PayloadTooLargeError, match="over 16 bytes after decompression"):
            decompressed(encoding, compress(body), len(body) - 1)


@pytest.mark.parametrize(
    ("encoding", "body", "error", "message"),
    [
        ("br", b"", UnsupportedContentError, "content encoding is 'br'; send gzip, deflate, or no compression"),
        ("gzip, gzip", b"", UnsupportedContentError, "content encoding is 'gzip, gzip'"),
        ("gzip", b"{}", RequestError, "is not valid gzip, although Content-Encoding says gzip"),
        ("gzip", b"", RequestError, "is truncated or has trailing data"),
        ("gzip", gzip.compress(b"{}")[:-4], RequestError, "is truncated or has trailing data"),
        ("gzip", gzip.compress(b"{}") * 2, RequestError, "trailing data: send one complete stream"),
        ("deflate", zlib.compress(b"{}")[:-1], RequestError, "is truncated or has trailing data"),
        ("gzip", gzip.compress(bytes(10**8)), PayloadTooLargeError, "over 999 bytes after decompression"),
    ],
    ids=["brotli", "twice", "not compressed", "empty", "cut", "two streams", "cut deflate", "bomb"],
)
def test_a_malformed_compressed_body_is_refused(
    encoding: str, body: bytes, error: type[RequestError], message: str
) -> None:
    with pytest.raises(error, match=message):
        decompressed(encoding, body, 999)


@given(encoding=st.sampled_from(["gzip", "deflate"]) | st.text(), body=st.binary())
def test_random_bytes_that_claim_to_be_compressed_are_refused(encoding: str, body: bytes) -> None:
    with suppress(RequestError):
        assert len(decompressed(encoding, body, 99)) <= max(99, len(body))


def reads_or_refuses(content_type: str, body: bytes) -> None:
    """Parse a body. The result must be fields or a RequestError."""
    try:
        fields = parse_body(content_type, body)
    except RequestError:
        return
    assert all(isinstance(name, str) for name in fields)


@given(content_type=LATIN_1 | st.sampled_from([MULTIPART, URLENCODED, JSON]), body=st.binary())
def test_rubbish_is_refused(content_type: str, body: bytes) -> None:
    reads_or_refuses(content_type, body)


@given(parameters=LATIN_1, media_type=st.sampled_from(["multipart/form-data", URLENCODED, JSON]))
def test_a_random_content_type_is_refused(media_type: str, parameters: str) -> None:
    reads_or_refuses(f"{media_type};{parameters}", part(b"a"))
    reads_or_refuses(f"{media_type}; boundary={parameters}", part(b"a"))


@given(data=st.data(), headers=st.binary(max_size=30), value=st.binary(max_size=30))
def test_a_corrupted_form_is_refused_or_read(data: st.DataObject, headers: bytes, value: bytes) -> None:
    disposition = b'Content-Disposition: form-data; name="text"'
    encoding = data.draw(st.sampled_from([b"base64", b"quoted-printable", b"8bit", b"odd"]))
    body = part(value, disposition + b"\r\nContent-Transfer-Encoding: " + encoding)
    reads_or_refuses(MULTIPART, body)
    reads_or_refuses(MULTIPART, part(value, disposition + headers))
    start = data.draw(st.integers(0, len(body)))
    reads_or_refuses(MULTIPART, body[:start] + value + body[start + data.draw(st.integers(0, 9)) :])
