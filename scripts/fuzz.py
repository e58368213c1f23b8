"""Coverage-guided fuzzing of code that reads untrusted bytes: manifests, request bodies, tokenizers.

`make atheris TARGET=manifest SECONDS=3600` runs one target; a crash is printed with its input bytes.
"""

import logging
import shutil
import sys
from contextlib import suppress
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["handler"]):
    from handler.body import parse_body
    from handler.bundle import parse_manifest
    from handler.errors import BundleError, RequestError
    from handler.tokenizers import SplittingTokenizer, raw_spans

CONTENT_TYPES = (
    "multipart/form-data; boundary=B",
    "application/x-www-form-urlencoded",
    "application/json",
    "text/plain",
)


def manifest(data: bytes) -> None:
    """Parse bytes as a manifest; the only exception allowed is BundleError."""
    with suppress(BundleError):
        parse_manifest(data, "manifest.json")


def body(data: bytes) -> None:
    """Parse bytes as a request body of each content type; the only exception allowed is RequestError."""
    for content_type in CONTENT_TYPES:
        with suppress(RequestError):
            parse_body(content_type, data)


def tokenizers(data: bytes) -> None:
    """Split text with each tokenizer, and check that the spans yield the tokens."""
    text = data.decode("utf-8", "replace")
    lowered = len(text.lower())
    assert len(raw_spans(text, [(index, index + 1) for index in range(lowered)])) == lowered
    for kind in SplittingTokenizer.__args__:
        tokenizer = kind()
        assert tokenizer.split(text) == [text[start:end] for start, end in tokenizer.spans(text)]


TARGETS = {"manifest": manifest, "body": body, "tokenizers": tokenizers}


def main(name: str, seconds: str) -> None:
    """Fuzz a target, starting from the shipped manifests and the corpus of earlier runs."""
    corpus = Path("build/fuzz") / name
    corpus.mkdir(parents=True, exist_ok=True)
    if name == "manifest":
        for path in Path("examples/bundles").glob("*/manifest.json"):
            shutil.copy(path, corpus / path.parent.name)
    logging.disable()
    atheris.Setup([sys.argv[0], f"-max_total_time={seconds}", "-max_len=8192", str(corpus)], TARGETS[name])
    atheris.Fuzz()


if __name__ == "__main__":
    main(*sys.argv[1:])
