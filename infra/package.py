"""The Lambda function as a zip that is the same for the same sources: its key in the bucket is what it holds."""

import hashlib
import io
import zipfile
from pathlib import Path

from infra.aws import Aws, LaunchError, is_missing
from infra.names import FUNCTIONS, PROJECT
from infra.stacks import Base

SOURCES = PROJECT / "lambda"
TIME = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip can hold
MODE = 0o100644  # a regular file that everybody may read: Lambda does not run as its owner


def pack(folder: Path = SOURCES) -> bytes:
    """All .py files of a folder, at the root of a zip.

    Raises:
        LaunchError: there are none.
    """
    files = sorted(folder.glob("*.py"))
    if not files:
        raise LaunchError(f"{folder}: expected the .py files of the function")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in files:
            entry = zipfile.ZipInfo(path.name, TIME)
            entry.create_system, entry.external_attr = 3, MODE << 16  # Unix, on whatever system this runs
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, path.read_bytes())
    return packed.getvalue()


def upload(aws: Aws, base: Base) -> str:
    """Put the function into the bucket, where it is not there yet; returns its key."""
    packed = pack()
    key = f"{FUNCTIONS}/{hashlib.sha256(packed).hexdigest()}.zip"
    s3 = aws.client("s3")
    try:
        s3.head_object(Bucket=base.bucket, Key=key)
    except s3.exceptions.ClientError as error:
        if not is_missing(error):
            raise
        s3.put_object(Bucket=base.bucket, Key=key, Body=packed)
    return key
