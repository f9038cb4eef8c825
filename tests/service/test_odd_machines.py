"""A real server on machines with unusual memory, addresses and rights."""

import socket
from pathlib import Path

import pytest
from support.job import Job

from recommender.sagemaker.server_environment import HOST, USER
from recommender.service.process import running_server

READ_ONLY = ("unshare", "--mount", "sh", "-c", 'mount -t tmpfs -o ro none /dev/shm && exec "$@"', "sh")
OTHER_ADDRESS = "127.0.0.2"  # another address of this machine, like that of a network card


@pytest.mark.real_component
def test_the_server_works_without_writable_shared_memory(trained: Job) -> None:
    with running_server(trained.base_dir, prefix=READ_ONLY) as server:
        assert server.invoke({"user_id": "new"})[0] == 200


@pytest.mark.parametrize(("environment", "is_reached"), [({}, False), ({HOST: "0.0.0.0"}, True)])
def test_the_server_listens_on_127_0_0_1_unless_server_host_is_set(
    trained: Job, environment: dict[str, str], is_reached: bool
) -> None:
    with running_server(trained.base_dir, environment) as server, socket.socket() as client:
        assert (client.connect_ex((OTHER_ADDRESS, server.port)) == 0) is is_reached


def user_of(process: int) -> str:
    return Path(f"/proc/{process}/status").read_text().partition("Uid:")[2].split()[0]


@pytest.mark.real_component
def test_root_without_capabilities_does_not_change_its_user(trained: Job) -> None:
    """Run without capabilities, as with `--cap-drop ALL`; a test of the image covers a server that changes its user."""
    prefix = ("setpriv", "--bounding-set=-all", "--inh-caps=-all")
    with running_server(trained.base_dir, {USER: "65534"}, prefix) as server:
        children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split()
        assert {user_of(int(child)) for child in children} == {"0"}
        assert server.invoke({"user_id": "new"})[0] == 200
