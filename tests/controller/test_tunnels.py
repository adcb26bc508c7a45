"""Whose a debugger's tunnel is, and who is told when it is cut."""

from pxshell.controller.tunnels import Tunnel, Tunnels
from pxshell.protocol.message import Message
from pxshell.ranks import RankSet


def message(kind, key, rank=2):
    return Message.make(kind, "m", {}, ranks=RankSet.of(rank), key=key)


def opened():
    tunnels = Tunnels()
    tunnels.asked("jane", message("px_debug_open_request", "a", 1))
    tunnels.asked("jane", message("px_debug_open_request", "b", 2))
    tunnels.asked("joe", message("px_debug_open_request", "c", 3))
    return tunnels


def test_what_begins_and_ends_is_told_and_both_ends_are_known():
    tunnels = Tunnels()
    assert tunnels.asked("jane", message("px_debug_open_request", "a", 1))
    assert tunnels.asked("joe", message("px_debug_open_request", "b", 2))
    assert not tunnels.asked("jane", message("px_debug_data", "a", 1))
    assert (tunnels.clients, tunnels.ranks) == ({"jane", "joe"}, RankSet([1, 2]))
    assert tunnels.said(message("px_debug_close", "a", 1))
    assert not tunnels.said(message("px_debug_close", "a", 1))
    assert (tunnels.clients, tunnels.ranks) == ({"joe"}, RankSet([2]))


def test_the_tunnels_of_a_client_that_is_gone_are_cut_once():
    """P8: its ranks are told, and nobody else's."""
    tunnels = opened()
    assert [one.key for one in tunnels.cut_from_client("jane")] == ["a", "b"]
    assert tunnels.cut_from_client("jane") == []
    assert tunnels.cut_from_client("joe") == [Tunnel("c", "joe", RankSet.of(3))]


def test_the_tunnels_to_ranks_that_cannot_be_reached_are_cut_once():
    """P8: their clients are told."""
    tunnels = opened()
    assert [(one.key, one.client) for one in tunnels.cut_from_ranks(RankSet([2, 3]))] == [("b", "jane"), ("c", "joe")]
    assert tunnels.cut_from_ranks(RankSet([2, 3])) == []


def test_a_tunnel_that_either_end_has_closed_is_forgotten():
    tunnels = opened()
    tunnels.asked("jane", message("px_debug_close", "a"))
    tunnels.said(message("px_debug_close", "c"))
    tunnels.said(message("px_debug_close", "unknown"))
    tunnels.said(message("px_debug_data", "b"))
    assert [one.key for one in tunnels.cut_from_ranks(RankSet.span(0, 4))] == ["b"]
