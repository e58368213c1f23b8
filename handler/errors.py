"""The exceptions of the handler, in one tree.

    LudwigServerlessError             the root of the exceptions of all packages
    └── ServingError
        ├── RequestError              the caller's fault: says what was found, what was expected, what to do
        │   ├── UnauthorizedError
        │   ├── NotFoundError
        │   │   └── WrongMethodError
        │   ├── PayloadTooLargeError
        │   └── UnsupportedContentError
        └── DeploymentError           the deployment's fault: raised at start, before the first message
            ├── BundleError
            │   └── TooLargeError
            └── SettingsError

Status codes belong to the HTTP layer and are not known here.
"""

from collections.abc import Iterable


class LudwigServerlessError(Exception):
    """Base of everything that handler, export and training raise on purpose; a command line prints its message."""


class ServingError(LudwigServerlessError):
    """Base of everything that the handler raises on purpose."""


class RequestError(ServingError):
    """Raise when a request cannot be answered as it was sent."""


class UnauthorizedError(RequestError):
    """Raise when a request carries no token, or none that is known."""


class NotFoundError(RequestError):
    """Raise when no route has the path of a request."""


class WrongMethodError(NotFoundError):
    """Raise when a route does not take the method of a request.

    Args:
        message: What exists.
        allowed: The methods that the route takes.
    """

    def __init__(self, message: str, allowed: Iterable[str]) -> None:
        super().__init__(message)
        self.allowed = ", ".join(allowed)


class PayloadTooLargeError(RequestError):
    """Raise when a text, a batch or a body is over its limit."""


class UnsupportedContentError(RequestError):
    """Raise when a body is of a content type that is not read here."""


class DeploymentError(ServingError):
    """Raise when the service must not start as it is deployed."""


class BundleError(DeploymentError):
    """Raise when a bundle is missing, altered, unreadable or of an unknown schema."""


class TooLargeError(BundleError):
    """Raise when a file of a bundle is larger than it may be, before it is read or downloaded."""

    def __init__(self, where: str, found: int | None, allowed: int) -> None:
        size = "an unknown number of" if found is None else f"{found}"
        super().__init__(
            f"{where} has {size} bytes, and at most {allowed} are expected: it is not the file of the bundle. Publish "
            "the bundle again, whole."
        )


class SettingsError(DeploymentError):
    """Raise when the environment asks for something impossible or leaves out what is needed."""
