"""The model folder changes while a server runs: the responses stay those of the loaded model."""

import json
import shutil
from pathlib import Path

import pytest
from support.job import Job

from recommender.artifacts import model_folder
from recommender.errors import ArtifactError
from recommender.pipeline.recommender import Recommender
from recommender.sagemaker.server_environment import MODEL_SERVER_WORKERS
from recommender.service.process import Server, running_server


def answers(server: Server, users: list[str], item: str) -> list[bytes]:
    """Return the bodies of the responses for users with and without a new event."""
    histories: list[list[dict[str, str]]] = [[], [{"item_id": item}]]
    requests = [{"user_id": user, "history": history} for user in users for history in histories]
    found = []
    for request in requests:
        status, body = server.request(
            "POST", "/invocations", json.dumps(request).encode(), {"Content-Type": "application/json"}
        )
        assert status == 200, body
        found.append(body)
    return found


def overwritten(path: Path, other: Path) -> None:
    """Overwrite a file as `cp` does: the same file gets other content."""
    shutil.copyfile(other / path.name, path)


def zeroed(path: Path, _: Path) -> None:
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.write(bytes(size))


def truncated(path: Path, _: Path) -> None:
    path.open("wb").close()


def removed(path: Path, _: Path) -> None:
    path.unlink()


def test_changed_or_removed_model_files_do_not_change_responses(trained_copy: Job, tmp_path: Path) -> None:
    folder, other = trained_copy.container.model_dir, tmp_path / "other"
    model = Recommender.load(folder).model
    users, item = [*list(model.users)[:10], "nobody"], model.items.id(7)
    shutil.copytree(folder, other)
    for path in other.glob("*.npy"):
        content = path.read_bytes()
        path.write_bytes(content[:128] + content[128:][::-1])
    with running_server(trained_copy.base_dir, {MODEL_SERVER_WORKERS: "2"}) as server:
        before = answers(server, users, item)
        for change in (overwritten, zeroed, truncated, removed):
            for path in folder.iterdir():
                if path.suffix == ".npy":
                    change(path, other)
            assert answers(server, users, item) == before, change.__name__
            assert server.request("GET", "/ping")[0] == 200
            assert server.process.poll() is None
    with pytest.raises(ArtifactError, match=r"\.npy: is missing"):
        model_folder.load(folder)
