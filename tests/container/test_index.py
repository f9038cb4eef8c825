"""The local index with torch's wheel, for a build of the image without PyTorch's index."""

import socket
import subprocess
import urllib.request
from pathlib import Path
from typing import Never

import pytest
from support import image
from support.image import local_index


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a local index with a wheel; nothing can be downloaded."""

    def run(*_: object, **__: object) -> Never:
        raise AssertionError("expected no download")

    monkeypatch.setattr(subprocess, "run", run)
    wheel = tmp_path / "torch" / "torch-1.2.0-py3-none-any.whl"
    wheel.parent.mkdir()
    wheel.write_bytes(b"a wheel")
    return tmp_path


def test_the_index_has_the_same_url_in_every_run_so_that_dockers_cache_is_used(folder: Path) -> None:
    urls = []
    for _ in range(2):
        with local_index(folder, "torch==1.2.0") as url:
            urls.append(url)
            with urllib.request.urlopen(f"{url}/torch/torch-1.2.0-py3-none-any.whl") as response:
                assert response.read() == b"a wheel"
    assert urls == [f"http://127.0.0.1:{image.TORCH_PORT}/{folder.name}"] * 2


def test_a_wheel_of_another_version_is_refused(folder: Path) -> None:
    with pytest.raises(AssertionError, match="no download"), local_index(folder, "torch==1.2"):
        pass


def test_a_port_in_use_is_an_error_that_names_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image, "PORT_SECONDS", 0)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        monkeypatch.setattr(image, "TORCH_PORT", taken.getsockname()[1])
        message = f"port {image.TORCH_PORT}: in use"
        with pytest.raises(RuntimeError, match=message), local_index(folder, "torch==1.2.0"):
            pass
