"""Put objects into Amazon S3 with Python's own HTTP client, signed with AWS Signature Version 4.

boto3 would do the same, but its import takes half a second of CPU time, for which the instance cannot answer the next
request, and 30 MB of memory. Sources: "Signature Version 4 signing process" and "PutObject" in AWS's documentation. A
test compares the signatures with botocore's.
"""

import hashlib
import hmac
import re
import time
from collections.abc import Callable, Mapping
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import NamedTuple

from handler.aws_credentials import Credentials, credential_source
from handler.capture_stores import S3_SECONDS
from handler.errors import CaptureError, SettingsError

SECONDS = 2.0
"""How long one step of a connection may take. Lambda counts this time towards the function's timeout."""
PAUSE = 0.2
"""Seconds before the one retry that follows at once. The caller retries later."""
RETRIED = {408, 429, 500, 502, 503, 504}
CODE = re.compile(rb"<Code>([A-Za-z]{1,64})</Code>")
ADDRESS = re.compile(r"(https?)://([^/]+)/?")
UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/")
ADVICE = {
    "AccessDenied": "allow s3:PutObject on the prefix (the template's CaptureBucket)",
    "NoSuchBucket": "check the name of the bucket in NLU_CAPTURE",
    "PermanentRedirect": "set AWS_REGION to the region of the bucket",
}


class BucketAddress(NamedTuple):
    """Where a bucket is.

    Attributes:
        scheme: `http` or `https`.
        host: The host, with the port if it is not the default one.
        path: The path of the bucket: "" if the host names it.
    """

    scheme: str
    host: str
    path: str


class S3Store:
    """A prefix of a bucket.

    Attributes:
        seconds: The shortest time between two writes.
    """

    seconds = S3_SECONDS

    def __init__(
        self, bucket: str, prefix: str, environ: Mapping[str, str], clock: Callable[[], float] = time.time
    ) -> None:
        """Keep where to write. Nothing is sent yet.

        Args:
            bucket: The name of the bucket.
            prefix: The prefix without a trailing slash; "" for the whole bucket.
            environ: The environment variables, with AWS's region, credentials and, for tests, the address of S3.
            clock: Returns the time in seconds since 1970.

        Raises:
            SettingsError: The region or the credentials are missing.
        """
        self._region = environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION") or ""
        if not self._region:
            raise SettingsError(f"NLU_CAPTURE=s3://{bucket} needs a region: set AWS_REGION to that of the bucket.")
        self._address = bucket_address(bucket, self._region, environ)
        self._prefix = f"{prefix}/" if prefix else ""
        self._credentials = credential_source(environ)
        self._clock = clock

    def put(self, name: str, content: bytes) -> None:
        """Write an object, with one retry if S3 is busy or the connection breaks; see `CaptureStore`."""
        try:
            status, code = self._sent(name, content)
        except (OSError, HTTPException) as error:
            raise CaptureError(f"S3 cannot be reached ({type(error).__name__})") from None
        if status in RETRIED:
            time.sleep(PAUSE)
            try:
                status, code = self._sent(name, content)
            except (OSError, HTTPException) as error:
                raise CaptureError(f"S3 cannot be reached ({type(error).__name__})") from None
        if status != 200:
            advice = f": {ADVICE[code]}" if code in ADVICE else ""
            raise CaptureError(f"S3 answered {status} {code}{advice}")

    def _sent(self, name: str, content: bytes) -> tuple[int, str]:
        """Send an object, and return the HTTP status and S3's error code."""
        path = quoted(f"{self._address.path}/{self._prefix}{name}")
        moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(self._clock()))
        headers = signed_headers("PUT", self._address.host, path, content, self._credentials(), self._region, moment)
        kind = HTTPSConnection if self._address.scheme == "https" else HTTPConnection
        connection = kind(self._address.host, timeout=SECONDS)
        try:
            connection.request("PUT", path, content, {"content-type": "application/x-ndjson", **headers})
            response = connection.getresponse()
            found = CODE.search(response.read(8192))
            return response.status, found[1].decode() if found else response.reason
        finally:
            connection.close()


def bucket_address(bucket: str, region: str, environ: Mapping[str, str]) -> BucketAddress:
    """Return where a bucket is.

    Args:
        bucket: The name of the bucket.
        region: The region.
        environ: The environment variables. AWS_ENDPOINT_URL_S3 or AWS_ENDPOINT_URL replace AWS's address.

    Returns:
        The bucket's own host, or a path on S3's host if the name contains a dot, which no certificate covers.

    Raises:
        SettingsError: The address is not a URL without a path.
    """
    given = environ.get("AWS_ENDPOINT_URL_S3") or environ.get("AWS_ENDPOINT_URL")
    if given:
        found = ADDRESS.fullmatch(given)
        if found is None:
            raise SettingsError(
                f"AWS_ENDPOINT_URL_S3 must be an address such as http://127.0.0.1:5000, found {given!r}."
            )
        return BucketAddress(found[1], found[2], f"/{bucket}")
    suffix = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    if "." in bucket:
        return BucketAddress("https", f"s3.{region}.{suffix}", f"/{bucket}")
    return BucketAddress("https", f"{bucket}.s3.{region}.{suffix}", "")


def quoted(path: str) -> str:
    """Return a path as URLs and signatures contain it: percent-encoded UTF-8, except slashes."""
    return "".join(chr(byte) if byte in UNRESERVED else f"%{byte:02X}" for byte in path.encode())


def signed_headers(
    method: str, host: str, path: str, content: bytes, credentials: Credentials, region: str, moment: str
) -> dict[str, str]:
    """Sign a request to S3 without a query.

    Args:
        method: The HTTP method.
        host: The value of the header Host.
        path: The percent-encoded path.
        content: The body.
        credentials: The credentials.
        region: The region.
        moment: The time in UTC, such as 20261127T100000Z.

    Returns:
        The headers to send.
    """
    content_hash = hashlib.sha256(content).hexdigest()
    headers = {"host": host, "x-amz-content-sha256": content_hash, "x-amz-date": moment}
    if credentials.session_token:
        headers["x-amz-security-token"] = credentials.session_token
    # 1. The canonical request: everything that the signature covers, in one form.
    lines = "".join(f"{name}:{value}\n" for name, value in sorted(headers.items()))
    signed = ";".join(sorted(headers))
    canonical = "\n".join([method, path, "", lines, signed, content_hash])
    # 2. The string to sign: the hash of that, and the scope in which the signature counts.
    day = moment[:8]
    scope = f"{day}/{region}/s3/aws4_request"
    to_sign = "\n".join(["AWS4-HMAC-SHA256", moment, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    # 3. The key: derived from the secret key, one part of the scope after another.
    key = f"AWS4{credentials.secret_key}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.digest(key, to_sign.encode(), "sha256").hex()
    headers["authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={credentials.access_key}/{scope}, SignedHeaders={signed}, Signature={signature}"
    )
    return headers
