"""Find AWS credentials as Lambda, ECS and SnapStart provide them; elsewhere, boto3 finds them if it is installed."""

import time
from calendar import timegm
from collections.abc import Callable, Mapping
from http.client import HTTPConnection, HTTPException, HTTPSConnection

import msgspec

from handler.errors import CaptureError, SettingsError

SECONDS = 2.0
"""How long one step of a connection to the container's provider may take."""
EARLY = 300.0
"""Seconds before their end after which credentials are replaced."""
CONTAINER_HOST = "http://169.254.170.2"
"""The provider of ECS."""


class Credentials(msgspec.Struct, frozen=True):
    """AWS credentials.

    Attributes:
        access_key: The id of the access key.
        secret_key: The secret access key.
        session_token: The token of temporary credentials; "" for others.
    """

    access_key: str
    secret_key: str
    session_token: str = ""


class _Provided(msgspec.Struct, frozen=True, rename="pascal"):
    """The answer of a container's provider."""

    access_key_id: str
    secret_access_key: str
    token: str
    expiration: str


CredentialSource = Callable[[], Credentials]
"""Returns valid credentials. It raises CaptureError, or an error of the connection, if there are none."""


def credential_source(environ: Mapping[str, str]) -> CredentialSource:
    """Return what finds the credentials.

    Args:
        environ: The environment variables. Lambda sets AWS_ACCESS_KEY_ID and two others; with SnapStart, it sets the
            address of a provider, because the credentials of a snapshot would expire.

    Returns:
        A function that returns valid credentials.

    Raises:
        SettingsError: There are no credentials.
    """
    key, secret = environ.get("AWS_ACCESS_KEY_ID"), environ.get("AWS_SECRET_ACCESS_KEY")
    if key and secret:
        found = Credentials(key, secret, environ.get("AWS_SESSION_TOKEN", ""))
        return lambda: found
    relative = environ.get("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI")
    url = CONTAINER_HOST + relative if relative else environ.get("AWS_CONTAINER_CREDENTIALS_FULL_URI")
    if url:
        return _Provider(url, environ.get("AWS_CONTAINER_AUTHORIZATION_TOKEN", ""))
    from handler.s3 import boto_credentials

    source = boto_credentials()
    if source is None:
        raise SettingsError(
            "NLU_CAPTURE needs AWS credentials, and there are none: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, "
            "or install boto3 (the extra `fetch`) to use a profile or the role of an EC2 instance."
        )
    return lambda: Credentials(*source())


class _Provider:
    """Asks a container's provider for credentials, and keeps them until shortly before their end."""

    def __init__(self, url: str, token: str) -> None:
        self._url = url
        self._headers = {"authorization": token} if token else {}
        self._found: Credentials | None = None
        self._end = 0.0

    def __call__(self) -> Credentials:
        if self._found is None or time.time() > self._end - EARLY:
            provided = self._provided()
            self._found = Credentials(provided.access_key_id, provided.secret_access_key, provided.token)
            self._end = timegm(time.strptime(provided.expiration[:19], "%Y-%m-%dT%H:%M:%S"))
        return self._found

    def _provided(self) -> _Provided:
        scheme, _, rest = self._url.partition("://")
        host, _, path = rest.partition("/")
        connection = (HTTPSConnection if scheme == "https" else HTTPConnection)(host, timeout=SECONDS)
        try:
            connection.request("GET", f"/{path}", headers=self._headers)
            response = connection.getresponse()
            body = response.read()
            if response.status != 200:
                raise CaptureError(f"the provider of AWS credentials answered {response.status}")
            return msgspec.json.decode(body, type=_Provided)
        except msgspec.DecodeError:
            raise CaptureError("the provider of AWS credentials answered something else than credentials") from None
        except (OSError, HTTPException) as error:
            raise CaptureError(f"the provider of AWS credentials cannot be reached ({type(error).__name__})") from None
        finally:
            connection.close()
