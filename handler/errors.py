"""The exception tree of the handler package.

    LudwigServerlessError             the root of the exceptions of all packages
    └── ServingError
        ├── RequestError              a client error: says what was found, what was expected, what to do
        │   ├── UnauthorizedError
        │   ├── NotFoundError
        │   │   └── WrongMethodError
        │   ├── PayloadTooLargeError
        │   └── UnsupportedContentError
        └── DeploymentError           a deployment error: raised at startup, before the first message
            ├── BundleError
            │   └── TooLargeError
            └── SettingsError

Status codes belong to the HTTP layer and are not known here.
"""

from collections.abc import Iterable


class LudwigServerlessError(Exception):
    """Base class of all exceptions that handler, export and training raise on purpose; commands print its message."""


class ServingError(LudwigServerlessError):
    """Base class of all exceptions that the handler raises on purpose."""


class RequestError(ServingError):
    """A request cannot be answered as it was sent."""


class UnauthorizedError(RequestError):
    """A request has no token or an unknown token."""


class NotFoundError(RequestError):
    """No route has the path of a request."""


class WrongMethodError(NotFoundError):
    """A route does not accept the method of a request.

    Args:
        message: What exists.
        allowed: The methods that the route takes.
    """

    def __init__(self, message: str, allowed: Iterable[str]) -> None:
        super().__init__(message)
        self.allowed = ", ".join(allowed)


class PayloadTooLargeError(RequestError):
    """A text, a batch or a body exceeds its limit."""


class UnsupportedContentError(RequestError):
    """A body has an unsupported content type or encoding."""


class DeploymentError(ServingError):
    """The service cannot start with this deployment."""


class BundleError(DeploymentError):
    """A bundle is missing, altered, unreadable or has an unknown schema."""


class TooLargeError(BundleError):
    """A file of a bundle exceeds its size limit. Raised before the file is read or downloaded."""

    def __init__(self, where: str, found: int | None, allowed: int) -> None:
        size = "an unknown number of" if found is None else f"{found}"
        super().__init__(
            f"{where} has {size} bytes, and at most {allowed} are expected: it is not the file of the bundle. Publish "
            "the bundle again, whole."
        )


class SettingsError(DeploymentError):
    """An environment variable is invalid or missing."""
