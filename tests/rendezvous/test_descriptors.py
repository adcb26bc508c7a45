"""A node that could not have the descriptors that its ranks need does not start."""

import resource

import pytest

from pxshell.cluster import Cluster
from pxshell.errors import UsageError
from pxshell.rendezvous import descriptors
from pxshell.rendezvous.descriptors import PER_RANK, check_descriptors, most_ranks, raise_limit


@pytest.fixture
def limits(monkeypatch):
    """Limits that can be set without harm: [soft, hard]."""
    held = [1024, 4096]
    monkeypatch.setattr(resource, "getrlimit", lambda _: tuple(held))
    monkeypatch.setattr(resource, "setrlimit", lambda _, pair: held.__setitem__(slice(None), pair))
    return held


def test_too_many_ranks_are_refused_with_the_number_that_can_be(limits):
    """P10: and that number is not refused."""
    with pytest.raises(
        UsageError, match=r"1000 ranks on one machine need 7064 .* hard limit is 4096: start at most 576"
    ):
        check_descriptors(1000)
    assert most_ranks(4096) == 576
    check_descriptors(576)
    with pytest.raises(UsageError):
        check_descriptors(577)
    assert most_ranks(10) == 0


def test_the_soft_limit_is_raised_only_when_it_must_be(limits):
    raise_limit(100)
    assert limits == [1024, 4096]
    raise_limit(200)
    assert limits == [64 + 200 * PER_RANK, 4096]


def test_no_limit_is_no_obstacle(limits):
    limits[:] = [resource.RLIM_INFINITY, resource.RLIM_INFINITY]
    raise_limit(100_000)
    assert limits == [resource.RLIM_INFINITY, resource.RLIM_INFINITY]


def test_a_cluster_that_could_not_have_its_descriptors_is_not_started(monkeypatch):
    """P10: said at once, and nothing is left behind."""
    monkeypatch.setattr(descriptors, "_limits", lambda: (100, 100))
    with pytest.raises(UsageError, match="start at most 5"):
        Cluster.start(6)
    assert Cluster.list() == []
