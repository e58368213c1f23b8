"""Create and verify API tokens. The service stores only SHA-256 digests and compares them in constant time."""

from _operator import _compare_digest as compare_digest  # hmac's, without loading OpenSSL
from collections.abc import Iterable, Sequence

from handler.errors import UnauthorizedError
from handler.files import sha256


def new_token() -> tuple[str, str]:
    """Return a random URL-safe token of 256 bits, and its digest."""
    import secrets

    token = secrets.token_urlsafe(32)
    return token, digest(token)


def digest(token: str) -> str:
    """Return the SHA-256 of a token in lowercase hex, the format of NLU_TOKEN_DIGESTS."""
    return sha256(token.encode("utf-8", "surrogatepass"))


def authorize(presented: Iterable[str], digests: Sequence[str]) -> None:
    """Return if one of the presented tokens is known. Otherwise raise.

    Every token is compared with every digest in constant time, so timing reveals nothing about them.

    Args:
        presented: The tokens that the request carries; empty ones are ignored.
        digests: The SHA-256 digests of the accepted tokens, in lowercase hex.

    Raises:
        UnauthorizedError: The request has no token, or none that matches a digest.
    """
    tokens = [token for token in presented if token]
    matches = [compare_digest(digest(token), known) for token in tokens for known in digests]
    if not any(matches):
        found = "its token is unknown" if tokens else "it has no token"
        raise UnauthorizedError(
            f"The request is refused: {found}. Send a token as ?token=..., as `Authorization: Bearer ...` "
            "or as `x-api-key: ...`."
        )
