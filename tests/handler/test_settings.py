"""Environment variables become settings or a clear error."""

import pytest

from handler.auth import digest
from handler.errors import SettingsError
from handler.settings import Settings

A, B = digest("a"), digest("b")
MINIMAL = {"NLU_BUNDLES": "/bundles", "NLU_OPEN": "1"}


def test_settings_have_defaults() -> None:
    settings = Settings.from_env(MINIMAL)
    assert settings == Settings(bundles=("/bundles",), open=True)
    assert (settings.default_language, settings.token_digests, settings.cors_origins) == ("en", (), ())
    assert (settings.max_text_characters, settings.max_batch_rows, settings.max_body_bytes) == (10_000, 500, 1_000_000)


def test_every_setting_can_be_set() -> None:
    settings = Settings.from_env(
        {
            "NLU_BUNDLES": "/a, ,s3://b/c",
            "NLU_CACHE": "/tmp/kept",
            "NLU_TOKEN_DIGESTS": f" {A.upper()},\n{B} ",
            "NLU_OPEN": "no",
            "NLU_DEFAULT_LANGUAGE": "fr",
            "NLU_BASE_PATH": " bots/nlu/ ",
            "NLU_MAX_TEXT_CHARACTERS": "1",
            "NLU_MAX_BATCH_ROWS": " 2 ",
            "NLU_MAX_BODY_BYTES": "3",
            "NLU_THREADS": "4",
            "NLU_CORS_ORIGINS": "https://a.example, https://b.example",
            "NLU_PLAYGROUND": "1",
            "NLU_DOCS": "1",
            "NLU_SHADOWS": "/next, ,s3://b/next",
            "NLU_SHADOW_SAMPLE": " 0.25 ",
            "NLU_CAPTURE": " s3://my-bucket/bot/captured/ ",
            "NLU_CAPTURE_SAMPLE": "0",
            "NLU_CAPTURE_MARGIN": "1",
            "NLU_METRICS": " Drift ",
            "NLU_METRICS_NAMESPACE": "my-nlu",
            "NLU_LOG_LEVEL": "debug",
        }
    )
    assert settings == Settings(
        bundles=("/a", "s3://b/c"),
        cache="/tmp/kept",
        token_digests=(A, B),
        open=False,
        default_language="fr",
        base_path="/bots/nlu",
        max_text_characters=1,
        max_batch_rows=2,
        max_body_bytes=3,
        threads=4,
        cors_origins=("https://a.example", "https://b.example"),
        playground=True,
        docs=True,
        shadows=("/next", "s3://b/next"),
        shadow_sample=0.25,
        capture="s3://my-bucket/bot/captured",
        capture_sample=0.0,
        capture_margin=1.0,
        metrics="drift",
        metrics_namespace="my-nlu",
        log_level="DEBUG",
    )


@pytest.mark.parametrize(
    "name",
    [
        *("NLU_BASE_PATH", "NLU_DEFAULT_LANGUAGE", "NLU_THREADS", "NLU_TOKEN_DIGESTS", "NLU_CORS_ORIGINS"),
        *("NLU_SHADOWS", "NLU_SHADOW_SAMPLE"),
        *("NLU_CAPTURE", "NLU_CAPTURE_SAMPLE", "NLU_CAPTURE_MARGIN"),
    ],
)
def test_an_empty_variable_counts_as_unset(name: str) -> None:
    assert Settings.from_env({**MINIMAL, name: ""}) == Settings.from_env(MINIMAL)


@pytest.mark.parametrize("value", ["1", "true", "YES", " on "])
def test_a_service_can_be_open(value: str) -> None:
    assert Settings.from_env({**MINIMAL, "NLU_OPEN": value}).open


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        ({"NLU_BUNDLES": ""}, "NLU_BUNDLES is not set"),
        ({"NLU_BUNDLES": " , "}, "NLU_BUNDLES is not set"),
        ({"NLU_OPEN": ""}, "Set NLU_TOKEN_DIGESTS .* or NLU_OPEN=1 for local use"),
        ({"NLU_OPEN": "0", "NLU_TOKEN_DIGESTS": " , "}, "No token is configured"),
        ({"NLU_OPEN": "maybe"}, "NLU_OPEN must be 1 or 0, found 'maybe'"),
        ({"NLU_TOKEN_DIGESTS": f"{A},secret"}, "NLU_TOKEN_DIGESTS contains something that is not a SHA-256 digest"),
        ({"NLU_TOKEN_DIGESTS": A[:-1]}, "is not a SHA-256 digest"),
        ({"NLU_TOKEN_DIGESTS": A + B}, "is not a SHA-256 digest"),
        ({"NLU_THREADS": "0"}, "NLU_THREADS must be a whole number above zero, found '0'"),
        ({"NLU_MAX_BODY_BYTES": "-1"}, "NLU_MAX_BODY_BYTES must be a whole number"),
        ({"NLU_MAX_BATCH_ROWS": "1.5"}, "NLU_MAX_BATCH_ROWS must be a whole number"),
        ({"NLU_MAX_TEXT_CHARACTERS": "²"}, "NLU_MAX_TEXT_CHARACTERS must be a whole number"),
        ({"NLU_BASE_PATH": "https://a.example/nlu"}, "NLU_BASE_PATH must be a path such as /nlu or /bots/nlu, found"),
        ({"NLU_BASE_PATH": "/a//b"}, "NLU_BASE_PATH must be a path"),
        ({"NLU_BASE_PATH": "/a b"}, "NLU_BASE_PATH must be a path"),
        ({"NLU_SHADOW_SAMPLE": "10%"}, "NLU_SHADOW_SAMPLE must be a number from 0 to 1 such as 0.1, found '10%'"),
        ({"NLU_SHADOW_SAMPLE": "1.5"}, "NLU_SHADOW_SAMPLE must be a number from 0 to 1"),
        ({"NLU_SHADOW_SAMPLE": "nan"}, "NLU_SHADOW_SAMPLE must be a number from 0 to 1"),
        ({"NLU_SHADOW_SAMPLE": "-0.5"}, "NLU_SHADOW_SAMPLE must be a number from 0 to 1"),
        ({"NLU_CAPTURE": "gs://bucket/x"}, "NLU_CAPTURE must be a folder or s3://bucket/prefix, found 'gs://bucket/x'"),
        ({"NLU_CAPTURE": "s3://B/x"}, "NLU_CAPTURE must be a folder or s3://bucket/prefix"),
        ({"NLU_CAPTURE_SAMPLE": "1%"}, "NLU_CAPTURE_SAMPLE must be a number from 0 to 1"),
        ({"NLU_CAPTURE_MARGIN": "2"}, "NLU_CAPTURE_MARGIN must be a number from 0 to 1"),
        ({"NLU_METRICS": "all"}, "NLU_METRICS must be off, on or drift, found 'all'"),
        ({"NLU_LOG_LEVEL": "loud"}, "NLU_LOG_LEVEL must be DEBUG, INFO, WARNING or ERROR, found 'LOUD'"),
    ],
    ids=lambda value: str(value)[:50],
)
def test_invalid_settings_are_refused(environ: dict[str, str], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        Settings.from_env({**MINIMAL, **environ})


def test_a_token_given_instead_of_a_digest_is_not_quoted() -> None:
    with pytest.raises(SettingsError) as refusal:
        Settings.from_env({**MINIMAL, "NLU_TOKEN_DIGESTS": "my-secret-token"})
    assert "my-secret-token" not in str(refusal.value)


def test_settings_are_validated_without_environment_variables_too() -> None:
    with pytest.raises(SettingsError, match="No token is configured"):
        Settings(bundles=())
