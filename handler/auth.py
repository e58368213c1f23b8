"""Create API tokens and verify them: the service knows only SHA-256 digests and compares in constant time."""

import hashlib
import hmac
from collections.abc import Iterable, Sequence

from handler.errors import UnauthorizedError


def new_token() -> tuple[str, str]:
    """Return a random token of 256 bits, safe in a URL, and its digest."""
    import secrets

    token = secrets.token_urlsafe(32)
    return token, digest(token)


def digest(token: str) -> str:
    """Return the SHA-256 of a token, in lower-case hex, as NLU_TOKEN_DIGESTS holds it."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def authorize(presented: Iterable[str], digests: Sequence[str]) -> None:
    """Accept a request if one of the tokens that it presents has one of the digests; else raise UnauthorizedError.

    Every presented token is compared with every digest, so the time taken tells nothing of them.
    """
    tokens = [token for token in presented if token]
    matches = [hmac.compare_digest(digest(token), known) for token in tokens for known in digests]
    if not any(matches):
        found = "its token is not known here" if tokens else "it carries no token"
        raise UnauthorizedError(
            f"The request is refused: {found}. Send a token as ?token=..., as `Authorization: Bearer ...` "
            "or as `x-api-key: ...`."
        )
