"""model.tar.gz: written to S3, read from S3, and hostile archives."""

import gzip
import io
import os
import sys
import tarfile
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from support.job import ROOT, Job

from infra.local.s3 import S3Server
from recommender.artifacts import model_archive
from recommender.artifacts.model_archive import MAX_MEMBERS, unpacked, upload
from recommender.cli import serve, train
from recommender.errors import ArtifactError, DataError
from recommender.pipeline.recommender import Recommender
from recommender.service.process import running_server


def archive(path: Path, *members: tuple[str, bytes | None]) -> Path:
    """Return a tar with these files; an entry without content is a link to /etc/passwd."""
    with tarfile.open(path, "w:gz") as tar:
        for name, content in members:
            member = tarfile.TarInfo(name)
            if content is None:
                member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
            else:
                member.size = len(content)
            tar.addfile(member, io.BytesIO(content or b""))
    return path


def test_a_model_is_written_to_s3_and_served_from_s3(s3: S3Server, job: Job, capfd: pytest.CaptureFixture[str]) -> None:
    s3.put("models", {"data/train/a.csv": b"user_id,item_id,rating\nu,a,5\nu,b,1\nv,a,4\n"})
    assert (
        train.main(["--train", "s3://models/data/train", "--embedding_dim", "2", "--model-output", "s3://models/one/"])
        == 0
    )
    assert "the model is in s3://models/one/model.tar.gz" in capfd.readouterr().out
    command = (sys.executable, str(ROOT / "serve.py"), "--model", "s3://models/one/model.tar.gz")
    with running_server(job.base_dir / "elsewhere", command=command) as server:
        status, answer = server.invoke({"user_id": "v"})
        assert (status, answer["recommended_items"]) == (200, ["b"])
    assert "Warning" not in capfd.readouterr().err


def test_an_archive_of_sagemaker_is_read(trained: Job, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "model.tar.gz", "w:gz") as tar:
        tar.add(trained.container.model_dir, arcname=".")
    with unpacked(str(tmp_path / "model.tar.gz")) as folder:
        served = Recommender.load(folder)
    assert not folder.exists()
    user = served.model.users.id(0)
    assert served.recommend(user) == Recommender.load(trained.container.model_dir).recommend(user)


@pytest.mark.parametrize(
    "members",
    [
        [("../escaped.npy", b"x")],
        [("/etc/escaped.npy", b"x")],
        [("code/inference.py", b"x")],
        [("run.py", b"x")],
        [("config.json", None)],
    ],
)
def test_the_error_names_a_member_that_is_no_file_of_a_model(
    tmp_path: Path, members: list[tuple[str, bytes | None]]
) -> None:
    path = archive(tmp_path / "model.tar.gz", *members)
    with pytest.raises(ArtifactError, match="expected only the files of a model folder") as error, unpacked(str(path)):
        pass
    assert members[0][0] in str(error.value)
    assert [found.name for found in tmp_path.rglob("*")] == ["model.tar.gz"]


@pytest.mark.parametrize("content", [b"", b"no archive", b"\x1f\x8b\x08"])
def test_the_error_names_a_damaged_archive(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.tar.gz"
    path.write_bytes(content)
    with pytest.raises(ArtifactError, match=r"model\.tar\.gz: expected a model\.tar\.gz: "), unpacked(str(path)):
        pass


GIGABYTE = 2**30
CONFIG = ("config.json", b"{}")


def header(name: str, kind: bytes = tarfile.REGTYPE, size: int = 0) -> bytes:
    """Return the 512 bytes of the header of a member."""
    member = tarfile.TarInfo(name)
    member.type, member.size, member.linkname = kind, size, "config.json"
    return member.tobuf(tarfile.GNU_FORMAT)


def pax(fields: dict[str, str], name: str = "config.json", kind: bytes = tarfile.XHDTYPE) -> bytes:
    """Return a PAX header with these fields, and an empty file."""
    text = b"".join(record(key, value) for key, value in fields.items())
    return header("pax", kind, len(text)) + padded(text) + header(name)


def record(key: str, value: str) -> bytes:
    rest = f" {key}={value}\n".encode()
    length = len(rest) + len(str(len(rest) + 3))
    return str(length).encode() + rest


def padded(content: bytes) -> bytes:
    return content + bytes(-len(content) % 512)


def zeros(count: int) -> bytes:
    """Return a number of zero bytes, compressed; they can be appended to a compressed archive."""
    compressor = zlib.compressobj(1, wbits=31)
    parts = [compressor.compress(bytes(2**20)) for _ in range(count // 2**20)]
    return b"".join([*parts, compressor.flush()])


def refused(path: Path, most_bytes: int = 2**20) -> str:
    """Return the error of an archive; check that no file is left and little memory is used."""
    tracemalloc.start()
    with pytest.raises(ArtifactError) as error, unpacked(str(path)):
        pass
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < most_bytes
    message = str(error.value).removeprefix(f"{path}: ")
    assert message.isprintable()
    assert len(message) < 400
    return message


HEADERS: dict[str, tuple[bytes, str]] = {
    "a long name of 2 GiB": (header("x", tarfile.GNUTYPE_LONGNAME, 2 * GIGABYTE), "the header of a member has more"),
    "a long link of 2 GiB": (header("x", tarfile.GNUTYPE_LONGLINK, 2 * GIGABYTE), "the header of a member has more"),
    "a PAX header of 2 GiB": (header("x", tarfile.XHDTYPE, 2 * GIGABYTE), "the header of a member has more"),
    "a global PAX header of 2 GiB": (header("x", tarfile.XGLTYPE, 2 * GIGABYTE), "the header of a member has more"),
    "a name of negative length": (header("x", tarfile.GNUTYPE_LONGNAME, -512), "the header of a member has more"),
    "a hundred long names": (100 * (header("x", tarfile.GNUTYPE_LONGNAME, 9) + padded(b"y")), "the header of a"),
    "a sparse file of 2 GiB": (
        pax({"GNU.sparse.map": "0,0", "GNU.sparse.size": str(2 * GIGABYTE)}), "'config.json': expected only the files"
    ),
    "a sparse file of version 0.0": (
        pax({"GNU.sparse.size": str(2 * GIGABYTE), "GNU.sparse.numblocks": "1"}), "'config.json': expected only"
    ),
    "a sparse file with an endless map": (
        pax({"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": str(2 * GIGABYTE)})
        + padded(b"999999999\n" + b"0\n" * 200_000), "the header of a member has more"
    ),
    "a sparse file of GNU": (header("config.json", tarfile.GNUTYPE_SPARSE), "'config.json': expected only the files"),
    "a size of 1 EiB": (header("config.json", size=2**60), "'config.json': has 1,152,921,504,606,846,976 bytes"),
    "a size of 1 EiB in PAX": (pax({"size": str(2**60)}), "'config.json': has 1,152,921,504,606,846,976 bytes"),
    "a negative size": (header("config.json", size=-512), "'config.json': has -512 bytes"),
    "a negative size in PAX": (pax({"size": "-1024"}), "'config.json': has -1,024 bytes"),
    "a size that is no number": (pax({"size": "x" * 9, "GNU.sparse.size": "x"}), "expected a model.tar.gz: "),
    "a path in PAX": (pax({"path": "../../escaped.npy"}), "'../../escaped.npy': expected only the files"),
    "a path of control characters": (pax({"path": "\x1b[2J\n.npy"}), "expected only the files"),
    "a path of 9,000 characters": (pax({"path": "a" * 9_000 + ".npy"}), "expected only the files"),
    "a character set that is none": (
        header("x", tarfile.XHDTYPE, 20) + padded(b"20 hdrcharset=\xff\xff\xff\xff\n") + header("config.json"),
        "expected a model.tar.gz: ",
    ),
    "a hard link": (header("titles.npy", tarfile.LNKTYPE), "'titles.npy': expected only the files"),
    "a symbolic link": (header("titles.npy", tarfile.SYMTYPE), "'titles.npy': expected only the files"),
    "a FIFO": (header("titles.npy", tarfile.FIFOTYPE), "'titles.npy': expected only the files"),
    "a device": (header("titles.npy", tarfile.CHRTYPE), "'titles.npy': expected only the files"),
    "a disk": (header("titles.npy", tarfile.BLKTYPE), "'titles.npy': expected only the files"),
    "a folder": (header("titles.npy", tarfile.DIRTYPE), "'titles.npy': expected only the files"),
    "a kind of file that no one knows": (header("titles.npy", b"Z"), "'titles.npy': expected only the files"),
    "no name": (header(""), "'': expected only the files"),
    "an absolute name": (header("/titles.npy"), "'/titles.npy': expected only the files"),
    "a name above": (header("../titles.npy"), "'../titles.npy': expected only the files"),
    "a name above itself": (header("./../titles.npy"), "'./../titles.npy': expected only the files"),
    "a name in a folder": (header("code/titles.npy"), "'code/titles.npy': expected only the files"),
    "other JSON": (header("package.json"), "'package.json': expected only the files"),
}  # fmt: skip


@pytest.mark.parametrize("case", HEADERS)
def test_a_hostile_header_is_refused_before_its_content_is_read(tmp_path: Path, case: str) -> None:
    content, expected = HEADERS[case]
    path = tmp_path / "model.tar.gz"
    path.write_bytes(gzip.compress(content + bytes(1_024)))
    assert expected in refused(path)
    assert [found.name for found in tmp_path.rglob("*")] == ["model.tar.gz"]


def test_a_long_name_of_256_mb_takes_no_memory_before_it_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.tar.gz"
    path.write_bytes(gzip.compress(header("x", tarfile.GNUTYPE_LONGNAME, 2**28)) + zeros(2**28))
    assert "the header of a member has more than 16,384 bytes" in refused(path)


def test_decompressed_bytes_are_limited_by_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_archive, "memory_bytes", lambda: 2**20)
    for name in ("titles.npy", "other.bin"):
        path = tmp_path / f"{name}.tar.gz"
        path.write_bytes(gzip.compress(header(name, size=2**28)) + zeros(2**28))
        message = refused(path)
        assert message.startswith(f"'{name}': has 268,435,456 bytes" if name == "titles.npy" else f"'{name}': expected")


def test_the_total_size_of_the_files_is_limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_archive, "memory_bytes", lambda: 1_500)
    path = archive(tmp_path / "model.tar.gz", ("a.npy", bytes(1_000)), ("b.npy", bytes(1_000)))
    assert refused(path) == "'b.npy': has 1,000 bytes, memory and disk have room for 500"


def test_100_000_empty_members_are_refused_after_256(tmp_path: Path) -> None:
    path = tmp_path / "model.tar.gz"
    path.write_bytes(
        gzip.compress(b"".join(header(f"a{number}.npy") for number in range(300)) + header("b.npy") * 99_700)
    )
    assert refused(path) == f"expected a model.tar.gz: it has more than {MAX_MEMBERS} members"
    path.write_bytes(gzip.compress(header(".", tarfile.DIRTYPE) * 100_000))
    assert refused(path) == f"expected a model.tar.gz: it has more than {MAX_MEMBERS} members"


def test_a_repeated_file_is_refused(tmp_path: Path) -> None:
    path = archive(tmp_path / "model.tar.gz", CONFIG, ("./config.json", b"[]"))
    assert refused(path) == "'./config.json': expected each file once"


def as_python(folder: Path, path: Path) -> None:
    with tarfile.open(path, "w:gz", format=tarfile.PAX_FORMAT) as tar:
        tar.add(folder, arcname=".")


def as_macos(folder: Path, path: Path) -> None:
    """Read an archive of macOS, which has a companion for each file."""
    with tarfile.open(path, "w:gz", format=tarfile.PAX_FORMAT) as tar:
        for file in sorted(folder.iterdir()):
            beside = tarfile.TarInfo(f"./._{file.name}")
            beside.size = 4
            tar.addfile(beside, io.BytesIO(b"\0\5\x16\7"))
            tar.add(file, arcname=f"./{file.name}")


def as_gnu(folder: Path, path: Path) -> None:
    with tarfile.open(path, "w:gz", format=tarfile.GNU_FORMAT) as tar:
        tar.add(folder, arcname=".")


@pytest.mark.parametrize("pack", [as_python, as_gnu, as_macos])
def test_archives_as_tar_writes_them_are_read(trained: Job, tmp_path: Path, pack: Callable[[Path, Path], None]) -> None:
    pack(trained.container.model_dir, tmp_path / "model.tar.gz")
    with unpacked(str(tmp_path / "model.tar.gz")) as folder:
        for file in trained.container.model_dir.iterdir():
            assert (folder / file.name).read_bytes() == file.read_bytes()


def test_an_archive_that_is_a_fifo_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "model.tar.gz")
    assert "expected a regular file" in refused(tmp_path / "model.tar.gz")


def test_an_invalid_location_is_an_error_of_one_line(
    job: Job, s3: S3Server, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert train.main(["--model-output", "here"]) == 1
    assert "--model-output: expected s3://bucket/prefix, got here" in capsys.readouterr().err
    assert serve.main(["--model", "s3://nowhere/model.tar.gz"]) == 1
    assert "error: s3://nowhere/model.tar.gz: " in capsys.readouterr().err
    assert serve.main(["--models", "x"]) == 1
    assert "command line: No such option" in capsys.readouterr().err
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    with pytest.raises(DataError, match=r"^s3://models/x/model\.tar\.gz: "):
        upload(job.base_dir, "s3://models/x")
