"""The Lambda function as a reproducible zip; its key in the bucket is the hash of its content."""

import hashlib
import io
import zipfile
from pathlib import Path

from infra.aws import Aws, LaunchError, is_missing
from infra.names import FUNCTIONS, PROJECT
from infra.stacks import Base

SOURCES = PROJECT / "lambda"
TIME = (1980, 1, 1, 0, 0, 0)  # the earliest time that a zip can store
MODE = 0o100644  # a regular file that all may read: Lambda does not run as its owner


def pack(folder: Path = SOURCES) -> bytes:
    """Return a zip with all .py files of a folder at its root.

    Raises:
        LaunchError: the folder has no .py files.
    """
    files = sorted(folder.glob("*.py"))
    if not files:
        raise LaunchError(f"{folder}: expected the .py files of the function")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in files:
            entry = zipfile.ZipInfo(path.name, TIME)
            entry.create_system, entry.external_attr = 3, MODE << 16  # Unix, on any system
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, path.read_bytes())
    return packed.getvalue()


def upload(aws: Aws, base: Base) -> str:
    """Upload the function to the bucket, unless it is already there; return its key."""
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
