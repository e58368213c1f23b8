"""Fetch bundles from Amazon S3; the only handler module that imports boto3, and only for S3 URIs."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from handler.errors import BundleError, TooLargeError
from handler.extras import how_to_install

ATTEMPTS = 4
CHUNK_BYTES = 1 << 20
ADVICE = {
    "AccessDenied": "Let the function's role read it (s3:GetObject and s3:ListBucket: the template's BundleBucket).",
    "403": "Let the function's role read it (s3:GetObject and s3:ListBucket: the template's BundleBucket).",
    "NoSuchBucket": "Check the bucket's name in NLU_BUNDLES.",
}
OTHERWISE = "Check the bucket, its region, and the role or credentials that this process uses."
UNREACHED = (
    "S3 cannot be reached: check the network, the proxy settings (HTTPS_PROXY) and the region. A function in a VPC "
    "needs a NAT gateway or a gateway endpoint for S3."
)


def s3_client() -> Any:
    """Return boto3's client, which retries, and does not wait long for a connection.

    Raises:
        ModuleNotFoundError: boto3 is not installed.
        botocore.exceptions.BotoCoreError: The AWS configuration is invalid.
    """
    import boto3
    from botocore.config import Config

    return boto3.client("s3", config=Config(retries={"mode": "standard"}, connect_timeout=5))


class S3Source:
    """The objects under a prefix of a bucket."""

    def __init__(self, bucket: str, prefix: str) -> None:
        """Create a client.

        Args:
            bucket: The name of the bucket.
            prefix: The prefix without a trailing slash; "" for the whole bucket.

        Raises:
            BundleError: boto3 is not installed, or the AWS configuration is invalid.
        """
        self._bucket, self._prefix = bucket, f"{prefix}/" if prefix else ""
        try:
            from botocore.exceptions import BotoCoreError, ClientError

            self._client_error, self._errors = ClientError, (ClientError, BotoCoreError, OSError)
            self._client = s3_client()
        except ModuleNotFoundError:
            raise BundleError(
                f"s3://{bucket} needs boto3, which is not installed: {how_to_install('fetch')}, or "
                "build the image with FETCH=1."
            ) from None
        except self._errors as error:
            raise self._explained(error, "") from None

    def names(self) -> list[str]:
        """Return the keys under the prefix, relative to it."""
        try:
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=self._prefix)
            return [found["Key"].removeprefix(self._prefix) for page in pages for found in page.get("Contents", ())]
        except self._errors as error:
            raise self._explained(error, "") from None

    def fetch(self, name: str, target: Path, limit: int) -> None:
        """Download an object. Resumes from the bytes in `target`, and retries when the connection breaks.

        Args:
            name: The object's key, relative to the prefix.
            target: Where to write it. It may contain the beginning of the object.
            limit: The largest allowed size in bytes.

        Raises:
            TooLargeError: The object is over the limit. Nothing is downloaded.
            BundleError: The object cannot be read.
        """
        for attempt in range(1, ATTEMPTS + 1):
            try:
                self._append(name, target, limit)
            except self._errors as error:
                refused = isinstance(error, self._client_error)
                if refused or attempt == ATTEMPTS:
                    raise self._explained(error, name) from None
            else:
                return

    def _append(self, name: str, target: Path, limit: int) -> None:
        start = target.stat().st_size if target.exists() else 0
        key = self._prefix + name
        # S3 rejects a range that begins at the end of the object. The caller's hash check decides if the file is right.
        if start and start >= self._client.head_object(Bucket=self._bucket, Key=key)["ContentLength"]:
            return
        rest = {"Range": f"bytes={start}-"} if start else {}
        answer = self._client.get_object(Bucket=self._bucket, Key=key, **rest)
        with closing(answer["Body"]) as body, target.open("ab") as file:
            size = start + answer["ContentLength"]  # the HTTP client enforces this length
            if size > limit:
                raise TooLargeError(f"s3://{self._bucket}/{key}", size, limit)
            for chunk in body.iter_chunks(CHUNK_BYTES):
                file.write(chunk)

    def _explained(self, error: Exception, name: str) -> BundleError:
        from botocore.exceptions import ConnectionError as NotConnectedError
        from botocore.exceptions import HTTPClientError, IncompleteReadError

        where = f"s3://{self._bucket}/{self._prefix}{name} cannot be read"
        if not isinstance(error, self._client_error):
            code = type(error).__name__
            # Refused, timed-out, proxy and TLS connections are botocore ConnectionErrors, not HTTPClientErrors.
            lost = NotConnectedError | HTTPClientError | IncompleteReadError | ConnectionError | TimeoutError
            if isinstance(error, lost):
                return BundleError(f"{where} ({code}). {UNREACHED}")
            if isinstance(error, OSError):
                return BundleError(f"{where} ({error.strerror}). Check the disk of the bundle cache.")
            return BundleError(f"{where} ({code}). {ADVICE.get(code, OTHERWISE)}")
        answered: dict[str, Any] = getattr(error, "response", None) or {}
        code = str((answered.get("Error") or {}).get("Code") or "no code")
        status = (answered.get("ResponseMetadata") or {}).get("HTTPStatusCode", 0)
        if status >= 500:
            return BundleError(f"{where} ({code}). S3 is busy or failing: try again in a few minutes.")
        return BundleError(f"{where} ({code}). {ADVICE.get(code, OTHERWISE)}")


def boto_credentials() -> Callable[[], tuple[str, str, str]] | None:
    """Find credentials as boto3 does: in profiles, and from the role of an EC2 instance.

    Returns:
        A function that returns the access key, the secret key and the session token, which is "" if there is none.
        None if boto3 is not installed or finds no credentials.
    """
    try:
        import boto3
    except ModuleNotFoundError:
        return None
    found = boto3.Session().get_credentials()
    if found is None:
        return None

    def current() -> tuple[str, str, str]:
        frozen = found.get_frozen_credentials()  # renews them if they end soon
        return frozen.access_key, frozen.secret_key, frozen.token or ""

    return current
