"""model.tar.gz: to S3, from S3, and what is none."""

import io
import sys
import tarfile
from pathlib import Path

import pytest
from support.job import ROOT, Job

from infra.local.s3 import S3Server
from recommender.artifacts.model_archive import unpacked, upload
from recommender.cli import serve, train
from recommender.errors import ArtifactError, DataError
from recommender.pipeline.recommender import Recommender
from recommender.service.process import running_server


def archive(path: Path, *members: tuple[str, bytes | None]) -> Path:
    """A tar with these files; without content it is a link to /etc/passwd."""
    with tarfile.open(path, "w:gz") as tar:
        for name, content in members:
            member = tarfile.TarInfo(name)
            if content is None:
                member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
            else:
                member.size = len(content)
            tar.addfile(member, io.BytesIO(content or b""))
    return path


def test_a_model_goes_to_s3_and_is_served_from_there(s3: S3Server, job: Job, capfd: pytest.CaptureFixture[str]) -> None:
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


def test_an_archive_of_sagemakers_is_read_too(trained: Job, tmp_path: Path) -> None:
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
def test_what_is_no_file_of_a_model_is_refused_by_name(tmp_path: Path, members: list[tuple[str, bytes | None]]) -> None:
    path = archive(tmp_path / "model.tar.gz", *members)
    with pytest.raises(ArtifactError, match="expected only the files of a model folder") as error, unpacked(str(path)):
        pass
    assert members[0][0] in str(error.value)
    assert [found.name for found in tmp_path.rglob("*")] == ["model.tar.gz"]


@pytest.mark.parametrize("content", [b"", b"no archive", b"\x1f\x8b\x08"])
def test_a_damaged_archive_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.tar.gz"
    path.write_bytes(content)
    with pytest.raises(ArtifactError, match=r"model\.tar\.gz: expected a model\.tar\.gz: "), unpacked(str(path)):
        pass


def test_places_that_can_not_be_are_one_line(
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
