"""Convert panics in Rust libraries to ordinary exceptions, so that one failing model does not end the request."""

from collections.abc import Iterator
from contextlib import contextmanager

RUST = "pyo3_runtime"
"""The module of `PanicException`, which cannot be imported: Rust's bindings make the class when they first need it."""


class PanicError(RuntimeError):
    """A library written in Rust panicked."""


@contextmanager
def panics_as_errors() -> Iterator[None]:
    """Turn a panic of a Rust library inside the block into a `PanicError`.

    A panic arrives as a BaseException, so that `except Exception` misses it: one model's panic would end the whole
    request, and with it the answers of all other models. tokenizers and hf_xet are written in Rust.

    Raises:
        PanicError: The library panicked. Its message may quote the text that it read, so it is for no log.
    """
    try:
        yield
    except Exception:
        raise
    except BaseException as error:
        if type(error).__module__ != RUST:
            raise
        raise PanicError(str(error)) from None
