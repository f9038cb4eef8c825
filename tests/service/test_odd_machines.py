"""A real server where memory, addresses and cores are not those of a plain machine."""

import socket
from pathlib import Path

import pytest
from support.job import Job

from recommender.sagemaker.server_environment import HOST, USER
from recommender.service.process import running_server

READ_ONLY = ("unshare", "--mount", "sh", "-c", 'mount -t tmpfs -o ro none /dev/shm && exec "$@"', "sh")
OTHER_ADDRESS = "127.0.0.2"  # of this machine, as that of its network card is another one


@pytest.mark.real_component
def test_shared_memory_that_can_not_be_written_is_not_needed(trained: Job) -> None:
    with running_server(trained.base_dir, prefix=READ_ONLY) as server:
        assert server.invoke({"user_id": "new"})[0] == 200


@pytest.mark.parametrize(("environment", "is_reached"), [({}, False), ({HOST: "0.0.0.0"}, True)])
def test_the_server_is_reached_from_outside_only_if_it_is_told_so(
    trained: Job, environment: dict[str, str], is_reached: bool
) -> None:
    with running_server(trained.base_dir, environment) as server, socket.socket() as client:
        assert (client.connect_ex((OTHER_ADDRESS, server.port)) == 0) is is_reached


def user_of(process: int) -> str:
    return Path(f"/proc/{process}/status").read_text().partition("Uid:")[2].split()[0]


@pytest.mark.real_component
def test_root_without_capabilities_stays_what_it_is(trained: Job) -> None:
    """As by `--cap-drop ALL`: it could become no other user. That it does where it can is a test of the image."""
    prefix = ("setpriv", "--bounding-set=-all", "--inh-caps=-all")
    with running_server(trained.base_dir, {USER: "65534"}, prefix) as server:
        children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split()
        assert {user_of(int(child)) for child in children} == {"0"}
        assert server.invoke({"user_id": "new"})[0] == 200
