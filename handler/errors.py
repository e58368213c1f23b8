"""The exception tree of the handler package.

    LudwigServerlessError             the root of the exceptions of all packages
    └── ServingError
        ├── RequestError              a client error: says what was found, what was expected, and what to do
        │   ├── UnauthorizedError
        │   ├── ForbiddenError
        │   ├── NotFoundError
        │   │   └── WrongMethodError
        │   ├── PayloadTooLargeError
        │   └── UnsupportedContentError
        ├── CaptureError              a captured message cannot be written
        └── DeploymentError           a deployment error: raised at startup, before the first request
            ├── BundleError
            │   └── TooLargeError
            └── SettingsError

HTTP status codes belong to `handler/routes.py`.
"""

from collections.abc import Iterable


class LudwigServerlessError(Exception):
    """Base class of all exceptions that handler, export and training raise on purpose. Commands print the message."""


class ServingError(LudwigServerlessError):
    """Base class of all exceptions that the handler raises on purpose."""


class RequestError(ServingError):
    """A request is invalid."""


class UnauthorizedError(RequestError):
    """A request has no token or an unknown token."""


class ForbiddenError(RequestError):
    """A web page of an origin that may not call the service sent a request."""


class NotFoundError(RequestError):
    """No route has the request's path."""


class WrongMethodError(NotFoundError):
    """A route does not accept the request's method.

    Args:
        message: The error message.
        allowed: The methods that the route accepts.

    Attributes:
        allowed: These methods, separated by commas, for the Allow header.
    """

    def __init__(self, message: str, allowed: Iterable[str]) -> None:
        super().__init__(message)
        self.allowed = ", ".join(allowed)


class PayloadTooLargeError(RequestError):
    """A text, a batch or a body exceeds its limit."""


class UnsupportedContentError(RequestError):
    """A body has an unsupported content type or encoding."""


class CaptureError(ServingError):
    """A captured message cannot be written. The message of the error quotes nothing that users wrote."""


class DeploymentError(ServingError):
    """The service cannot start with this deployment."""


class BundleError(DeploymentError):
    """A bundle is missing, altered, unreadable or has an unknown schema."""


class TooLargeError(BundleError):
    """A file of a bundle exceeds its size limit. Raised before the file is read or downloaded.

    Args:
        where: The path or URI of the file.
        found: Its size in bytes; None if unknown.
        allowed: The limit in bytes.
    """

    def __init__(self, where: str, found: int | None, allowed: int) -> None:
        size = "an unknown number of" if found is None else f"{found}"
        super().__init__(
            f"{where} has {size} bytes, but the bundle's file has at most {allowed}. Publish the whole bundle again."
        )


class SettingsError(DeploymentError):
    """An environment variable is invalid or missing."""
