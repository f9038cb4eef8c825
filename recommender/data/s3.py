"""Objects in S3, or in another server with the same protocol (AWS_ENDPOINT_URL), through boto3.

boto3 is imported when it is used: a job without S3 does not load it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from recommender.common.messages import printable, reason
from recommender.errors import DataError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

SCHEME = "s3://"
CONNECT_SECONDS = 10
READ_SECONDS = 60
ATTEMPTS = 3
DENIED = (
    "access denied: allow the role or user s3:ListBucket and s3:GetObject, and for writing s3:PutObject and "
    "s3:DeleteObject"
)
ADVICE = {
    "NoSuchBucket": "this bucket does not exist: correct its name",
    "AccessDenied": DENIED,
    "403": DENIED,
    "InvalidAccessKeyId": "S3 does not know this access key: correct AWS_ACCESS_KEY_ID",
    "SignatureDoesNotMatch": "the secret key is wrong: correct AWS_SECRET_ACCESS_KEY",
    "ExpiredToken": "the credentials have expired: renew them",
    "InvalidObjectState": "the object is archived: restore it first",
}


class Bucket:
    """A bucket in S3.

    Raises:
        DataError: every method raises it, if S3 refuses the request or does not respond.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        with _translate_errors(SCHEME + name):
            self._client = _client()

    @classmethod
    def parse(cls, location: str) -> tuple["Bucket", str]:
        """Split s3://bucket/prefix into the bucket and the prefix."""
        name, _, prefix = location.removeprefix(SCHEME).partition("/")
        if not name:
            raise DataError(f"{printable(location)}: expected s3://bucket/prefix")
        return cls(name), prefix

    def uri(self, key: str) -> str:
        """Return the s3:// URI of an object."""
        return f"{SCHEME}{self.name}/{key}"

    def keys(self, prefix: str) -> list[str]:
        """Return all keys below the folder `prefix`/, and `prefix` itself if it is the key of an object."""
        folder = prefix if prefix == "" or prefix.endswith("/") else prefix + "/"
        with _translate_errors(self.uri(prefix)):
            # If `prefix` is a key, it is the first one with this prefix, so one key suffices.
            first = self._client.list_objects_v2(Bucket=self.name, Prefix=prefix, MaxKeys=1).get("Contents", [])
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=folder)
            below = [found["Key"] for page in pages for found in page.get("Contents", [])]
        same = [found["Key"] for found in first if found["Key"] == prefix]
        return [key for key in dict.fromkeys(same + below) if not key.endswith("/")]  # "x/" marks a folder

    def first_keys(self, prefix: str) -> list[str]:
        """Return the first keys that begin with `prefix`, at most 1,000."""
        with _translate_errors(self.uri(prefix)):
            found = self._client.list_objects_v2(Bucket=self.name, Prefix=prefix).get("Contents", [])
        return [entry["Key"] for entry in found]

    def download(self, key: str, path: Path) -> None:
        """Download an object into a file."""
        with _translate_errors(self.uri(key)):
            self._client.download_file(self.name, key, str(path))

    def upload(self, path: Path, key: str) -> None:
        """Upload a file as an object."""
        with _translate_errors(self.uri(key)):
            self._client.upload_file(str(path), self.name, key)

    def remove(self, key: str) -> None:
        """Remove an object."""
        with _translate_errors(self.uri(key)):
            self._client.delete_object(Bucket=self.name, Key=key)


def _client() -> "S3Client":
    import boto3
    from botocore.config import Config

    config = Config(
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
    )
    return boto3.Session().client("s3", config=config)


@contextmanager
def _translate_errors(uri: str) -> Iterator[None]:
    try:
        from boto3.exceptions import Boto3Error
    except ImportError:
        raise DataError(f"{printable(uri)}: S3 needs boto3: pip install -r requirements.txt") from None
    from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

    try:
        yield
    except ClientError as error:
        problem = (
            ADVICE.get(error.response.get("Error", {}).get("Code", "")) or f"S3 refuses the request: {reason(error)}"
        )
    except NoCredentialsError:
        problem = (
            "there are no AWS credentials: give the job a role, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        )
    except (BotoCoreError, Boto3Error, OSError, ValueError) as error:
        problem = f"S3 can't be used: {reason(error)}: check network, region and AWS_ENDPOINT_URL"
    else:
        return
    raise DataError(f"{printable(uri)}: {problem}") from None
