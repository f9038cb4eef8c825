"""Several hosts that fit one model (contract T22): each solves its share of the rows, then all exchange them.

Every host reads all ratings and keeps whole tables; only the work is divided. Users and items are split into
consecutive rows of about equal cost, one share for each host. The tables are on the CPU, hence gloo.
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

PATIENCE = timedelta(minutes=10)  # longest wait for another host's start or its share of a half-step


class Hosts:
    """This host among those that fit together; if it is alone, the methods do nothing.

    Attributes:
        rank: position of this host; the first host, 0, decides and writes.
        size: number of hosts.
    """

    def __init__(self, cluster: Cluster) -> None:
        self.rank, self.size = cluster.rank, len(cluster.hosts)
        self._cluster = cluster

    @contextmanager
    def connected(self) -> Iterator[None]:
        """Connect the hosts for as long as the block lasts.

        Raises:
            FitError: a host did not connect. The other methods raise it if a host was lost since.
        """
        if self.size == 1:
            yield
            return
        self._choose_interface()
        first = self._cluster.hosts[0]
        with self._explain_lost_host():
            store = self._meet(first, self._cluster.port)
            dist.init_process_group("gloo", store=store, timeout=PATIENCE, world_size=self.size, rank=self.rank)
        try:
            yield
        finally:
            dist.destroy_process_group()

    def _choose_interface(self) -> None:
        """Name the network interface of the job to gloo; if this host does not have it, gloo chooses one."""
        wanted, own = self._cluster.network_interface, [name for _, name in socket.if_nameindex()]
        if wanted in own:
            os.environ.setdefault("GLOO_SOCKET_IFNAME", wanted)
        elif wanted:
            say(f"network interface {shown(wanted)}: this host has {', '.join(own)}; one of them is chosen")

    def _meet(self, first: str, port: int) -> TCPStore:
        """Wait for all hosts, in short steps, so that a stop signal is handled in between."""
        if self.rank > 0:
            _wait_for(lambda: listens(first, port), f"host {first}")
        store = TCPStore(first, port, self.size, self.rank == 0, PATIENCE, wait_for_workers=False)
        store.add("arrived", 1)
        _wait_for(lambda: store.add("arrived", 0) >= self.size, "all hosts")
        return store

    def shares(self, cost: NDArray[np.float64]) -> list[slice]:
        """Return the rows of each host, in order of rank, so that the sums of their costs are about equal."""
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
        """Replace the values by those of the first host, in place; return them."""
        if self.size > 1:
            with self._explain_lost_host():
                dist.broadcast(values, src=0)
        return values

    def agree(self, job: str) -> None:
        """Check that all hosts have the same job, by its fingerprint.

        Raises:
            DataError: data or hyper-parameters differ between hosts.
        """
        if self.size == 1:
            return
        mine = torch.tensor(list(bytes.fromhex(job)), dtype=torch.uint8)
        all_of_them = [torch.empty_like(mine) for _ in range(self.size)]
        with self._explain_lost_host():
            dist.all_gather(all_of_them, mine)
        if any(not torch.equal(other, mine) for other in all_of_them):
            raise DataError(
                "the hosts have read different data or hyper-parameters: expected S3DistributionType FullyReplicated "
                "and the same hyperparameters.json on each host"
            )

    @contextmanager
    def _explain_lost_host(self) -> Iterator[None]:
        try:
            yield
        except (RuntimeError, OSError) as error:  # all errors of torch.distributed are RuntimeErrors
            others = ", ".join(host for host in self._cluster.hosts if host != self._cluster.current_host)
            raise FitError(
                f"{self._cluster.current_host}: another host ({others}) was lost or cannot be reached; "
                f"its own failure or log says why; here: {reason(error)}"
            ) from None


ALONE = Hosts(Cluster())


def _wait_for(condition: Callable[[], bool], what: str) -> None:
    try:
        wait_until(condition, what, PATIENCE.total_seconds(), pause=0.2)
    except NotReadyError as error:
        raise TimeoutError(str(error)) from None
