"""Convert panics in Rust libraries to ordinary exceptions, so one failing model does not end the request."""

from collections.abc import Iterator
from contextlib import contextmanager

RUST = "pyo3_runtime"
"""The module of `PanicException`. It cannot be imported, because PyO3 creates the class when a panic first occurs."""


class PanicError(RuntimeError):
    """A library written in Rust panicked."""


@contextmanager
def panics_as_errors() -> Iterator[None]:
    """Convert a panic of a Rust library inside the block to a `PanicError`.

    A panic reaches Python as a BaseException, which `except Exception` does not catch. So the panic of one model would
    end the whole request, with the answers of all other models. tokenizers and hf_xet are written in Rust.

    Raises:
        PanicError: The library panicked. The message may quote the text that it read, so do not log it.
    """
    try:
        yield
    except Exception:
        raise
    except BaseException as error:
        if type(error).__module__ != RUST:
            raise
        raise PanicError(str(error)) from None
