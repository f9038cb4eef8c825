"""Several hosts that fit one model together (contract T22).

Each host reads all ratings and keeps whole tables; only the work is divided. Each solves its share of the rows,
then sends them to all others. A share is a range of users or items; all shares cost about the same. The tables are
on the CPU, so the hosts use gloo.
"""

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from itertools import pairwise

import numpy as np
import torch
import torch.distributed as dist
from numpy.typing import NDArray
from torch import Tensor
from torch.distributed import TCPStore  # type: ignore[attr-defined]  # not re-exported, but documented

from recommender.common.messages import reason, shown
from recommender.common.output import say
from recommender.common.processes import NotReadyError, listens, wait_until
from recommender.errors import DataError, FitError
from recommender.sagemaker.environment import Cluster

PATIENCE = timedelta(minutes=10)  # maximum wait for another host's start, or for its share of a half-step


class Hosts:
    """This host and those that fit the model with it. With a single host, the methods do nothing.

    Attributes:
        rank: position of this host. The first host, 0, decides and writes.
        size: number of hosts.
    """

    def __init__(self, cluster: Cluster) -> None:
        self.rank, self.size = cluster.rank, len(cluster.hosts)
        self._cluster = cluster

    @contextmanager
    def connected(self) -> Iterator[None]:
        """Connect the hosts for the duration of the block.

        Raises:
            FitError: a host did not connect. The other methods raise it if a host is lost later.
        """
        if self.size == 1:
            yield
            return
        self._choose_interface()
        first = self._cluster.hosts[0]
        with self._explain_lost_host():
            store = self._wait_for_hosts(first, self._cluster.port)
            dist.init_process_group("gloo", store=store, timeout=PATIENCE, world_size=self.size, rank=self.rank)
        try:
            yield
        finally:
            dist.destroy_process_group()

    def _choose_interface(self) -> None:
        """Tell gloo the network interface of the job. If this host does not have it, gloo chooses one."""
        wanted, available = self._cluster.network_interface, [name for _, name in socket.if_nameindex()]
        if wanted in available:
            os.environ.setdefault("GLOO_SOCKET_IFNAME", wanted)
        elif wanted:
            names = ", ".join(available)
            say(f"network interface {shown(wanted)} not found: this host has {names}; gloo chooses one of them")

    def _wait_for_hosts(self, first: str, port: int) -> TCPStore:
        """Wait for all hosts, in short steps so that a stop signal is handled in between."""
        if self.rank > 0:
            _wait_for(lambda: listens(first, port), f"host {first}")
        store = TCPStore(first, port, self.size, self.rank == 0, PATIENCE, wait_for_workers=False)
        store.add("arrived", 1)
        _wait_for(lambda: store.add("arrived", 0) >= self.size, "all hosts")
        return store

    def shares(self, cost: NDArray[np.float64]) -> list[slice]:
        """Return the rows of each host, in order of rank. The shares have about equal total costs."""
        ends = np.searchsorted(np.cumsum(cost), cost.sum() * np.arange(1, self.size) / self.size)
        return [slice(int(begin), int(end)) for begin, end in pairwise([0, *ends, len(cost)])]

    def all_gather(self, table: Tensor, shares: list[slice]) -> None:
        """Send this host's rows to all others and receive theirs, in place."""
        if self.size == 1:
            return
        with self._explain_lost_host():
            for rank, rows in enumerate(shares):
                if rows.stop > rows.start:
                    dist.broadcast(table[rows], src=rank)

    def all_reduce(self, values: Tensor) -> None:
        """Replace the values by their sum over all hosts, in place."""
        if self.size > 1:
            with self._explain_lost_host():
                dist.all_reduce(values)

    def broadcast(self, values: Tensor) -> Tensor:
        """Replace the values by those of the first host, in place. Return them."""
        if self.size > 1:
            with self._explain_lost_host():
                dist.broadcast(values, src=0)
        return values

    def agree(self, job: str) -> None:
        """Check by fingerprint that all hosts have the same job.

        Raises:
            DataError: data or hyper-parameters differ between hosts.
        """
        if self.size == 1:
            return
        own = torch.tensor(list(bytes.fromhex(job)), dtype=torch.uint8)
        fingerprints = [torch.empty_like(own) for _ in range(self.size)]
        with self._explain_lost_host():
            dist.all_gather(fingerprints, own)
        if any(not torch.equal(other, own) for other in fingerprints):
            raise DataError(
                "the hosts have read different data or hyper-parameters: expected S3DistributionType FullyReplicated "
                "and the same hyperparameters.json on each host"
            )

    @contextmanager
    def _explain_lost_host(self) -> Iterator[None]:
        try:
            yield
        except (RuntimeError, OSError) as error:  # torch.distributed raises RuntimeErrors only
            others = ", ".join(host for host in self._cluster.hosts if host != self._cluster.current_host)
            raise FitError(
                f"{self._cluster.current_host}: another host ({others}) was lost or can't be reached: "
                f"see that host's log or failure file; the error on this host is: {reason(error)}"
            ) from None


ALONE = Hosts(Cluster())


def _wait_for(condition: Callable[[], bool], what: str) -> None:
    try:
        wait_until(condition, what, PATIENCE.total_seconds(), pause=0.2)
    except NotReadyError as error:
        raise TimeoutError(str(error)) from None
