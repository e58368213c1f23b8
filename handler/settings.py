"""Read the handler's settings from environment variables."""

import os
import re
from collections.abc import Mapping

import msgspec

from handler.errors import SettingsError

HEX_DIGITS, DIGEST_LENGTH = "0123456789abcdef", 64
BASE_PATH = r"(/[A-Za-z0-9._~-]+)*"
SHARE = r"\d+(?:\.\d*)?|\.\d+"
S3_PREFIX = r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[^\s/]+)*/?"
TEMPORARY = os.environ.get("TMPDIR") or os.environ.get("TEMP") or "/tmp"  # noqa: S108 - only the default
"""The folder for temporary files, where the handler keeps downloads. Importing Python's `tempfile` takes long."""
TRUE, FALSE = {"1", "true", "yes", "on"}, {"", "0", "false", "no", "off"}


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of a deployment.

    Attributes:
        bundles: The locations of bundles or folders of bundles: paths, `s3://bucket/prefix` or
            `hf://owner/name@revision`.
        cache: The folder that keeps downloaded bundles.
        token_digests: The SHA-256 of each accepted token, in lowercase hex.
        open: Whether to accept requests without a token.
        default_language: The language to answer if no language model is loaded, or it failed or is unsure.
        base_path: The path that a custom domain adds in front of every route, such as `/nlu`; "" for none.
        max_text_characters: The longest text in a request.
        max_batch_rows: The most rows in one batch.
        max_body_bytes: The largest request body in bytes, after decompression too.
        threads: How many threads one call of a model may use.
        cors_origins: Origins whose pages may call the service from a browser.
        playground: Whether to answer `GET /playground` with the page for trying out the models.
        docs: Whether to answer `GET /openapi.json` and `GET /docs` with the description of the API.
        shadows: The locations of shadow bundles, apart from those in the folder `shadow` beside live bundles.
        shadow_sample: The share of the requests that shadows answer too, in [0, 1]. 0 turns shadows off.
        metrics: "off"; "on" measures answers, times and confidences; "drift" also counts labels, to measure drift.
        metrics_namespace: CloudWatch's namespace of the metrics.
        capture: Where unsure messages are stored: a folder or `s3://bucket/prefix`; "" stores none.
        capture_sample: The share of the other messages to store too, in [0, 1].
        capture_margin: A message is unsure if its two most probable labels are closer than this, in [0, 1].
        log_level: The lowest level to log.
        version: The version of the Lambda function, which log lines contain; "" elsewhere.
    """

    bundles: tuple[str, ...]
    cache: str = os.path.join(TEMPORARY, "ludwig-serverless")
    token_digests: tuple[str, ...] = ()
    open: bool = False
    default_language: str = "en"
    base_path: str = ""
    max_text_characters: int = 10_000
    max_batch_rows: int = 500
    max_body_bytes: int = 1_000_000
    threads: int = 1
    cors_origins: tuple[str, ...] = ()
    playground: bool = False
    docs: bool = False
    shadows: tuple[str, ...] = ()
    shadow_sample: float = 0.1
    metrics: str = "off"
    metrics_namespace: str = "ludwig-serverless"
    capture: str = ""
    capture_sample: float = 0.01
    capture_margin: float = 0.1
    log_level: str = "INFO"
    version: str = ""

    def __post_init__(self) -> None:
        for digest in self.token_digests:
            if len(digest) != DIGEST_LENGTH or digest.strip(HEX_DIGITS):
                raise SettingsError(
                    "NLU_TOKEN_DIGESTS contains something that is not a SHA-256 digest: give digests of 64 hex digits, "
                    "separated by commas, and never tokens. `ludwig-serverless token` prints both."
                )
        if not self.token_digests and not self.open:
            raise SettingsError(
                "No token is configured, so anyone could use this service. Set NLU_TOKEN_DIGESTS "
                "(`ludwig-serverless token` creates a token and its digest), or NLU_OPEN=1 for local use."
            )

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> "Settings":
        """Read the settings from environment variables.

        Args:
            environ: The NLU_* variables, and Lambda's AWS_LAMBDA_FUNCTION_VERSION.

        Returns:
            The settings.

        Raises:
            SettingsError: A variable is missing or invalid. The message names it.
        """
        level = environ.get("NLU_LOG_LEVEL", "INFO").upper()
        if level not in {"DEBUG", "INFO", "WARNING", "ERROR"}:
            raise SettingsError(f"NLU_LOG_LEVEL must be DEBUG, INFO, WARNING or ERROR, found {level!r}.")
        metrics = environ.get("NLU_METRICS", "").strip().lower() or DEFAULTS.metrics
        if metrics not in {"off", "on", "drift"}:
            raise SettingsError(f"NLU_METRICS must be off, on or drift, found {metrics!r}.")
        bundles = _locations(environ, "NLU_BUNDLES")
        if not bundles:
            raise SettingsError(
                "NLU_BUNDLES is not set: give folders of bundles, s3://bucket/prefix or hf://owner/name@revision, "
                "separated by commas."
            )
        base_path = "/" + environ.get("NLU_BASE_PATH", "").strip().strip("/")
        if base_path != "/" and not re.fullmatch(BASE_PATH, base_path):
            raise SettingsError(f"NLU_BASE_PATH must be a path such as /nlu or /bots/nlu, found {base_path!r}.")
        return cls(
            bundles=bundles,
            cache=environ.get("NLU_CACHE") or DEFAULTS.cache,
            token_digests=_items(environ.get("NLU_TOKEN_DIGESTS", "").lower()),
            open=_flag(environ, "NLU_OPEN"),
            default_language=environ.get("NLU_DEFAULT_LANGUAGE") or DEFAULTS.default_language,
            base_path=base_path.rstrip("/"),
            max_text_characters=_number(environ, "NLU_MAX_TEXT_CHARACTERS", DEFAULTS.max_text_characters),
            max_batch_rows=_number(environ, "NLU_MAX_BATCH_ROWS", DEFAULTS.max_batch_rows),
            max_body_bytes=_number(environ, "NLU_MAX_BODY_BYTES", DEFAULTS.max_body_bytes),
            threads=_number(environ, "NLU_THREADS", DEFAULTS.threads),
            cors_origins=_items(environ.get("NLU_CORS_ORIGINS", "")),
            playground=_flag(environ, "NLU_PLAYGROUND"),
            docs=_flag(environ, "NLU_DOCS"),
            shadows=_locations(environ, "NLU_SHADOWS"),
            shadow_sample=_share(environ, "NLU_SHADOW_SAMPLE", DEFAULTS.shadow_sample),
            metrics=metrics,
            metrics_namespace=environ.get("NLU_METRICS_NAMESPACE") or DEFAULTS.metrics_namespace,
            capture=_place(environ, "NLU_CAPTURE"),
            capture_sample=_share(environ, "NLU_CAPTURE_SAMPLE", DEFAULTS.capture_sample),
            capture_margin=_share(environ, "NLU_CAPTURE_MARGIN", DEFAULTS.capture_margin),
            log_level=level,
            version=environ.get("AWS_LAMBDA_FUNCTION_VERSION", ""),
        )


DEFAULTS = Settings(bundles=(), open=True)


def _locations(environ: Mapping[str, str], name: str) -> tuple[str, ...]:
    return tuple(location.strip() for location in environ.get(name, "").split(",") if location.strip())


def _items(value: str) -> tuple[str, ...]:
    return tuple(value.replace(",", " ").split())


def _flag(environ: Mapping[str, str], name: str) -> bool:
    value = environ.get(name, "").strip().lower()
    if value not in TRUE | FALSE:
        raise SettingsError(f"{name} must be 1 or 0, found {value!r}.")
    return value in TRUE


def _number(environ: Mapping[str, str], name: str, default: int) -> int:
    value = environ.get(name, "").strip()
    if not value:
        return default
    if not value.isascii() or not value.isdigit() or int(value) == 0:
        raise SettingsError(f"{name} must be a whole number above zero, found {value!r}.")
    return int(value)


def _share(environ: Mapping[str, str], name: str, default: float) -> float:
    value = environ.get(name, "").strip()
    if not value:
        return default
    if not re.fullmatch(SHARE, value, re.ASCII) or float(value) > 1:
        raise SettingsError(f"{name} must be a number from 0 to 1 such as 0.1, found {value!r}.")
    return float(value)


def _place(environ: Mapping[str, str], name: str) -> str:
    value = environ.get(name, "").strip()
    if "://" in value and not re.fullmatch(S3_PREFIX, value):
        raise SettingsError(f"{name} must be a folder or s3://bucket/prefix, found {value!r}.")
    return value.rstrip("/") or value
