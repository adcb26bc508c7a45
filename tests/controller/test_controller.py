"""Tests of `pxshell.controller.controller`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pxshell.controller.controller import Controller
from pxshell.controller.files import ControllerFile, Keys, LaunchFacts
from pxshell.protocol.digest import with_digest
from pxshell.protocol.message import Message
from pxshell.protocol.pace import BURST_BYTES
from pxshell.protocol.state import Activity, Liveness, RankState
from pxshell.protocol.types import Lane, Role
from pxshell.ranks import RankSet
from pxshell.transport.base import Peer, Proof, make_hello


class Recorder:
    """A server that keeps what is sent, and may be full."""

    def __init__(self) -> None:
        self.sent: list[tuple[Peer, Message]] = []
        self.is_full = False
        self.watched: set[Peer] = set()

    def watch_closely(self, peer: Peer, *, closely: bool) -> None:
        (self.watched.add if closely else self.watched.discard)(peer)

    def send(self, peer: Peer, message: Message, fds: tuple[int, ...] = ()) -> bool:
        if not self.is_full:
            self.sent.append((peer, message))
        return not self.is_full

    def queued(self, peer: Peer, lane: Lane) -> int:
        return 0

    def to(self, peer: Peer, kind: str = "") -> list[Message]:
        return [message for at, message in self.sent if at is peer and kind in ("", message.type)]


class World:
    """A controller with nodes and clients that the test plays."""

    def __init__(self) -> None:
        file = ControllerFile("calm-fox", Keys("", ""), {}, {})
        loop = asyncio.get_running_loop()
        self.controller = Controller(loop, file, LaunchFacts("local", 4, "sim.py"), Path("/nowhere"))
        self.server = Recorder()
        self.controller.server = self.server  # type: ignore[assignment]
        self._serial = 0

    def peer(self, role: Role) -> Peer:
        hello = make_hello(role)
        peer = Peer(hello.id, role, hello, hello.pid, role.value)
        self.controller.peer_joined(peer)
        return peer

    def node(self, *ranks: int) -> Peer:
        node = self.peer(Role.NODE)
        descriptions = [{"rank": rank, "host": "n1"} for rank in ranks]
        self.says(node, "px_ranks", {"ranks": descriptions}, RankSet(ranks))
        self.says(node, "px_state", RankState(Activity.IDLE).to_content(), RankSet(ranks))
        return node

    def says(self, peer: Peer, kind: str, content: dict[str, Any], ranks: RankSet, **fields: Any) -> Message:
        self._serial += 1
        message = with_digest(Message.make(kind, f"m{self._serial}", content, ranks=ranks, **fields))
        self.controller.message_received(peer, message)
        return message


def run(test: Callable[[World], None]) -> None:
    async def main() -> None:
        test(World())

    asyncio.run(main())


def test_a_request_goes_to_each_node_for_its_own_ranks() -> None:
    """Routing: each node gets the ranks that it has, in one message."""

    def check(world: World) -> None:
        one, two = world.node(0, 1), world.node(2, 3)
        client = world.peer(Role.OPERATOR)
        world.says(client, "execute_request", {"code": "1"}, RankSet([1, 2, 3]))
        assert [m.ranks for m in world.server.to(one, "execute_request")] == [RankSet([1])]
        assert [m.ranks for m in world.server.to(two, "execute_request")] == [RankSet([2, 3])]

    run(check)


def test_ranks_that_come_are_told_who_listens_and_nobody_is_told_again() -> None:
    """P7: a node of 10,000 ranks that come one by one hands 10,000 words down, not 50 million."""

    def check(world: World) -> None:
        node = world.node(0, 1)
        world.says(node, "px_ranks", {"ranks": [{"rank": 2, "host": "n1"}]}, RankSet([2]))
        told = [str(message.ranks) for message in world.server.to(node, "px_attendance")]
        assert told == ["0-1", "2"]

    run(check)


def test_a_node_that_takes_nothing_more_has_its_ranks_accounted_for() -> None:
    """P3: ranks behind a full link, ranks without a node, and ranks that there never were: each with its reason."""

    def check(world: World) -> None:
        world.node(0, 1)
        client = world.peer(Role.OPERATOR)
        world.server.is_full = True
        request = world.says(client, "execute_request", {"code": "1"}, RankSet(range(6)))
        world.server.is_full = False
        world.controller._up.flush()
        world.controller.lane_drained(client, Lane.CONTROL)
        missing = [m for m in world.server.to(client, "px_missing") if m.parent == request.id]
        assert sum((len(m.ranks) for m in missing), 0) == 6

    run(check)


def test_all_nodes_get_requests_in_the_one_order_of_the_controller() -> None:
    """P1: all ranks run cells in one order, whoever sent them."""

    def check(world: World) -> None:
        nodes = world.node(0, 1), world.node(2, 3)
        clients = world.peer(Role.OPERATOR), world.peer(Role.OPERATOR)
        for index in range(6):
            world.says(clients[index % 2], "execute_request", {"code": str(index)}, RankSet(range(4)))
        for node in nodes:
            codes = [m.data()["code"] for m in world.server.to(node, "execute_request")]
            assert codes == list("012345")

    run(check)


def test_replies_of_two_nodes_reach_the_asking_client_folded_and_no_other() -> None:
    """P4: equal replies are one message; answers go to their client only."""

    def check(world: World) -> None:
        one, two = world.node(0, 1), world.node(2, 3)
        client, other = world.peer(Role.OPERATOR), world.peer(Role.OPERATOR)
        request = world.says(client, "execute_request", {"code": "1"}, RankSet(range(4)))
        for node, ranks in ((one, [0, 1]), (two, [2, 3])):
            fields = {"parent": request.id, "origin": client.id}
            world.says(node, "execute_reply", {"status": "ok"}, RankSet(ranks), **fields)
        assert [m.ranks for m in world.server.to(client, "execute_reply")] == [RankSet(range(4))]
        assert world.server.to(other, "execute_reply") == []

    run(check)


def test_a_client_cannot_have_answers_sent_to_another_one() -> None:
    """P9: the origin of a request is what the controller knows, not what the client says."""

    def check(world: World) -> None:
        node = world.node(0, 1, 2, 3)
        client, other = world.peer(Role.OPERATOR), world.peer(Role.OPERATOR)
        world.says(client, "execute_request", {"code": "1"}, RankSet([0]), origin=other.id)
        assert world.server.to(node, "execute_request")[0].header.origin == client.id

    run(check)


def test_a_rank_that_is_not_there_is_accounted_for_at_once() -> None:
    """P3: a request for a rank that cannot answer is answered with the reason."""

    def check(world: World) -> None:
        node = world.node(0, 1)
        client = world.peer(Role.OPERATOR)
        dead = RankState(Activity.IDLE, Liveness.DEAD, why="ended: signal 9 (KILL)").to_content()
        world.says(node, "px_state", dead, RankSet([1]))
        absent = {"text": "2: it has not joined: process 7 does not answer", "level": "warning"}
        world.says(node, "px_notice", absent, RankSet([2]))
        world.says(client, "execute_request", {"code": "1"}, RankSet([0, 1, 2, 3, 7]))
        world.controller._up.flush()
        missing = {str(m.ranks): m.data()["why"] for m in world.server.to(client, "px_missing")}
        assert missing == {
            "1": "ended: signal 9 (KILL)",
            "2": "it has not joined: process 7 does not answer",
            "3": "it has not joined: it is starting, or stopped, or holds the GIL",
            "7": "there is no such rank in this cluster",
        }

    run(check)


def test_the_loss_of_a_node_accounts_for_what_its_ranks_owed() -> None:
    """P3, P8: nobody waits for ranks whose node is gone; the others go on."""

    def check(world: World) -> None:
        one, two = world.node(0, 1), world.node(2, 3)
        client = world.peer(Role.OPERATOR)
        request = world.says(client, "execute_request", {"code": "1"}, RankSet(range(4)))
        world.controller.peer_left(two, "cut")
        world.says(one, "execute_reply", {"status": "ok"}, RankSet([0, 1]), parent=request.id, origin=client.id)
        world.controller._up.flush()
        missing = world.server.to(client, "px_missing")
        assert [(m.ranks, m.parent) for m in missing] == [(RankSet([2, 3]), request.id)]
        assert [m.ranks for m in world.server.to(client, "execute_reply")] == [RankSet([0, 1])]
        assert world.controller.states.where("lost") == RankSet([2, 3])

    run(check)


def test_a_client_that_joins_is_told_what_there_is() -> None:
    """A snapshot: name, size, script, states, hosts, and lines that were said before."""

    def check(world: World) -> None:
        node = world.node(0, 1)
        world.says(node, "px_notice", {"text": "careful", "level": "warning"}, RankSet())
        client = world.peer(Role.OBSERVER)
        content = world.server.to(client, "px_snapshot")[0].data()
        assert (content["name"], content["size"], content["script"]) == ("calm-fox", 4, "sim.py")
        assert content["notes"] == ["careful"]
        assert content["hosts"] == {"n1": "0-1"}
        assert [(group["ranks"], group["state"]["activity"]) for group in content["ranks"]] == [("0-1", "idle")]

    run(check)


def test_the_death_of_a_node_is_known_though_its_link_would_wait() -> None:
    """P3, P8: its ranks are lost, and whoever waits for them is told."""

    def check(world: World) -> None:
        node = world.node(0, 1)
        client = world.peer(Role.OPERATOR)
        world.controller.node_died(node.hello.pid, "it ended with signal 9")
        state = world.server.to(client, "px_state")[-1]
        assert (str(state.ranks), state.data()["liveness"]) == ("0-1", "lost")
        assert state.data()["why"] == "its node is gone: it ended with signal 9"

    run(check)


def test_a_cluster_does_not_end_while_its_lost_node_still_runs() -> None:
    """P8: a node that is frozen loses its ranks to us, not to life: the cluster stays, to be reached and stopped."""

    def check(world: World) -> None:
        node = world.node(0, 1)
        world.controller.node_runs = True
        world.controller.peer_left(node, "it does not answer")
        world.controller._finish_if_over()
        assert not world.controller.finished.done()
        world.controller.node_ended()
        world.controller._finish_if_over()
        assert world.controller.finished.done()

    run(check)


def attendance(clients: int, *, watching: int = 0, stay: bool = False, hold: bool = False) -> dict[str, object]:
    return {"clients": clients, "watching": watching, "stay": stay, "hold": hold, "paces": {}}


def test_engines_learn_who_is_there_whoever_comes_first() -> None:
    """A client that only looks counts: `breakpoint()` waits for it, and output is copied to it."""

    def check(world: World) -> None:
        first = world.node(0)
        world.peer(Role.OBSERVER)
        assert world.server.to(first, "px_attendance")[-1].data() == attendance(1, watching=1)
        second = world.node(1)
        told = world.server.to(second, "px_attendance")[-1]
        assert (str(told.ranks), told.data()["clients"]) == ("1", 1)

    run(check)


def test_engines_learn_whether_somebody_stays() -> None:
    """Ranks whose script ends wait only for a client that said it stays, as after `python -i`."""

    def check(world: World) -> None:
        node = world.node(0, 1)
        client = world.peer(Role.OPERATOR)
        world.says(client, "px_attend_request", {"stay": True}, RankSet())
        assert world.server.to(node, "px_attendance")[-1].data() == attendance(1, stay=True)
        world.says(client, "px_attend_request", {"hold": True}, RankSet())
        assert world.server.to(node, "px_attendance")[-1].data() == attendance(1, stay=True, hold=True)
        world.says(client, "px_attend_request", {"watch": True, "stay": False}, RankSet())
        assert world.server.to(node, "px_attendance")[-1].data() == attendance(1, watching=1), (
            "who watches holds nobody"
        )
        world.controller.peer_left(client, "gone")
        assert world.server.to(node, "px_attendance")[-1].data() == attendance(0)

    run(check)


def test_output_of_scripts_goes_to_all_clients() -> None:
    """A script is one long cell to which all clients subscribe."""

    def check(world: World) -> None:
        node = world.node(0, 1)
        clients = [world.peer(Role.OPERATOR), world.peer(Role.OBSERVER)]
        world.says(node, "stream", {"name": "stdout", "text": "hello\n"}, RankSet([0, 1]), parent="run")
        world.controller._up.flush()
        for client in clients:
            assert [m.data()["text"] for m in world.server.to(client, "stream")] == ["hello\n"]

    run(check)


def test_a_slow_client_loses_text_with_notice_and_delays_nobody() -> None:
    """P2, P7: text is cut with its amount; the reply comes."""

    def check(world: World) -> None:
        node = world.node(0, 1)
        client = world.peer(Role.OPERATOR)
        request = world.says(client, "execute_request", {"code": "1"}, RankSet([0]))
        fields = {"parent": request.id, "origin": client.id}
        world.server.is_full = True
        world.says(node, "stream", {"name": "stdout", "text": "one\ntwo\n"}, RankSet([0]), **fields)
        world.says(node, "execute_reply", {"status": "ok"}, RankSet([0]), **fields)
        world.server.is_full = False
        world.controller.lane_drained(client, Lane.WORK)
        kinds = [m.type for m in world.server.to(client) if m.lane is Lane.WORK]
        assert kinds == ["px_cut", "execute_reply"]
        assert world.server.to(client, "px_cut")[0].data()["lines"] == 2

    run(check)


def test_nodes_learn_how_much_is_looked_at() -> None:
    """P7: nobody folds and carries what no client shows; of a script's output the fastest client's share comes."""

    def check(world: World) -> None:
        node = world.node(0)
        first, second = world.peer(Role.OPERATOR), world.peer(Role.OBSERVER)
        world.says(first, "px_pace", {"rate": 1000}, RankSet())
        assert world.server.to(node, "px_attendance")[-1].data()["paces"] == {first.id: 1000.0}
        world.says(second, "px_pace", {"rate": 2000}, RankSet())
        paces = {first.id: 1000.0, second.id: 2000.0, "": 2000.0}
        assert world.server.to(node, "px_attendance")[-1].data()["paces"] == paces
        world.controller.peer_left(second, "gone")
        assert world.server.to(node, "px_attendance")[-1].data()["paces"] == {first.id: 1000.0, "": 1000.0}

    run(check)


def test_a_client_gets_no_more_text_than_it_shows() -> None:
    """P2, P7: the rest is cut with notice, and another client has it."""

    def check(world: World) -> None:
        node = world.node(0)
        slow, fast = world.peer(Role.OPERATOR), world.peer(Role.OPERATOR)
        world.says(slow, "px_pace", {"rate": 1.0}, RankSet())
        for _ in range(2):
            text = "x" * BURST_BYTES + "\n"
            world.says(node, "stream", {"name": "stdout", "text": text}, RankSet([0]), parent="run")
            world.controller._up.flush()
        world.says(node, "execute_reply", {"status": "ok"}, RankSet([0]), parent="run")
        world.controller._up.flush()
        kinds = [[m.type for m in world.server.to(client) if m.lane is Lane.WORK] for client in (slow, fast)]
        assert kinds == [["stream", "px_cut", "execute_reply"], ["stream", "stream", "execute_reply"]]
        for client in (slow, fast):
            world.controller.peer_left(client, "gone")

    run(check)


def test_a_peer_without_a_proved_role_is_refused() -> None:
    """P9: the key proves the role; a claim is worth nothing."""

    def check(world: World) -> None:
        assert world.controller.hello_received(make_hello(Role.OPERATOR), Proof()) is not None
        assert world.controller.hello_received(make_hello(Role.OPERATOR), Proof(role=Role.OPERATOR)) is None

    run(check)


def test_a_stopped_cluster_ends_when_its_nodes_have_left() -> None:
    """Stopping: the order goes to every node; the controller ends after the last."""

    def check(world: World) -> None:
        node = world.node(0, 1)
        client = world.peer(Role.OPERATOR)
        world.says(client, "px_stop_request", {"grace": 1.0}, RankSet())
        assert world.server.to(node, "px_stop_request")[0].data()["grace"] == 1.0
        assert not world.controller.finished.done()
        world.controller.peer_left(node, "stopped")
        assert world.controller.finished.result() == "stopped"

    run(check)


def test_a_restart_reaches_the_node_of_ranks_that_have_all_ended() -> None:
    """P8: a rank's death is an MPICH world's death, and it can be started anew; ranks of no node are missing."""

    def check(world: World) -> None:
        node, client = world.node(0, 1), world.peer(Role.OPERATOR)
        dead = RankState(Activity.ENDED, liveness=Liveness.DEAD)
        world.says(node, "px_state", dead.to_content(), RankSet([0, 1]))
        world.says(client, "px_restart_request", {}, RankSet([0, 1, 2]))
        assert [str(message.ranks) for message in world.server.to(node, "px_restart_request")] == ["0-1"]
        world.controller._up.flush()
        assert [str(message.ranks) for message in world.server.to(client, "px_missing")] == ["2"]

    run(check)


def test_ranks_that_start_later_stop_at_the_exceptions_that_were_named_for_them() -> None:
    """The last word for each rank counts."""

    def check(world: World) -> None:
        world.node(0)
        client = world.peer(Role.OPERATOR)
        world.says(client, "px_raise_request", {"types": ["KeyError"]}, RankSet(range(4)))
        world.says(client, "px_raise_request", {"types": ["ValueError", "OSError"]}, RankSet([2]))
        world.says(client, "px_raise_request", {"types": []}, RankSet([3]))
        told = world.server.to(world.node(1, 2, 3), "px_breakpoints")
        assert sorted((str(one.ranks), one.data()["raises"]) for one in told) == [
            ("1", ["KeyError"]), ("2", ["ValueError", "OSError"]),
        ]  # fmt: skip

    run(check)


def test_ranks_that_start_later_get_the_breakpoints_that_were_set_for_them() -> None:
    """They are there before user code starts; watches, which belong to a frame, are not kept."""

    def check(world: World) -> None:
        world.node(0, 1)
        client = world.peer(Role.OPERATOR)
        world.says(client, "px_break_request", {"number": 1, "file": "sim.py", "line": 3}, RankSet([1, 2]))
        world.says(client, "px_break_request", {"number": 2, "function": "f"}, RankSet(range(4)))
        world.says(client, "px_break_request", {"number": 3, "watch": "x"}, RankSet(range(4)))
        world.says(client, "px_clear_request", {"numbers": [2]}, RankSet(range(4)))
        later = world.node(2, 3)
        told = world.server.to(later, "px_breakpoints")
        assert [(str(one.ranks), [b["number"] for b in one.data()["breaks"]]) for one in told] == [("2", [1])]
        world.says(client, "px_clear_request", {"numbers": []}, RankSet(range(4)))
        assert world.server.to(world.node(1), "px_breakpoints") == []

    run(check)


def test_a_client_that_gives_no_sign_of_life_lets_the_ranks_go_that_its_editor_holds() -> None:
    """P8: nobody else could; those whom others debug stay as they are."""

    def check(world: World) -> None:
        node = world.node(0, 1)
        client, other = world.peer(Role.OPERATOR), world.peer(Role.OPERATOR)
        world.says(client, "px_debug_open_request", {}, RankSet.of(0), key="a")
        world.says(other, "px_debug_open_request", {}, RankSet.of(1), key="b")
        world.controller.peer_silent(client, True)
        assert [(m.header.key, m.ranks) for m in world.server.to(node, "px_debug_close")] == [("a", RankSet.of(0))]
        world.controller.peer_left(client, "it has ended")
        world.controller.peer_left(other, "it has ended")
        assert [m.header.key for m in world.server.to(node, "px_debug_close")] == ["a", "b"]

    run(check)


def test_a_node_that_gives_no_sign_of_life_ends_the_sessions_of_the_editors_on_its_ranks() -> None:
    """P3: their front ends are told at once, the node when it is back."""

    def check(world: World) -> None:
        one, two = world.node(0, 1), world.node(2, 3)
        client = world.peer(Role.OPERATOR)
        world.says(client, "px_debug_open_request", {}, RankSet.of(0), key="a")
        world.says(client, "px_debug_open_request", {}, RankSet.of(2), key="b")
        world.controller.peer_silent(one, True)
        (told,) = world.server.to(client, "px_debug_close")
        assert (told.header.key, told.data()) == ("a", {"why": "its node does not answer"})
        assert [m.header.key for m in world.server.to(one, "px_debug_close")] == ["a"]
        assert world.server.to(two, "px_debug_close") == []
        world.controller.peer_left(two, "it was killed")
        assert world.server.to(client, "px_debug_close")[-1].header.key == "b"

    run(check)


def test_the_links_through_which_a_debuggers_tunnel_goes_are_watched_closely_until_it_ends() -> None:
    """P8: whichever end is cut off, the other learns it within two seconds."""

    def check(world: World) -> None:
        one, two = world.node(0, 1), world.node(2, 3)
        client, other = world.peer(Role.OPERATOR), world.peer(Role.OPERATOR)
        world.says(client, "px_debug_open_request", {}, RankSet.of(0), key="a")
        assert world.server.watched == {one, client}
        world.says(other, "px_debug_open_request", {}, RankSet.of(3), key="b")
        world.says(one, "px_debug_close", {"why": "the rank let go"}, RankSet.of(0), key="a", origin=client.id)
        assert world.server.watched == {two, other}
        world.controller.peer_left(other, "closed")
        assert world.server.watched == set()

    run(check)


def test_a_debuggers_bytes_go_to_their_client_only_and_nobody_owes_an_answer_to_them() -> None:
    """P9: in both directions by the tunnel's id."""

    def check(world: World) -> None:
        node = world.node(0, 1)
        client, other = world.peer(Role.OPERATOR), world.peer(Role.OPERATOR)
        world.says(client, "px_debug_data", {"at": 0, "taken": 0}, RankSet.of(0), key="a", buffers=[b"down"])
        (down,) = world.server.to(node, "px_debug_data")
        assert (down.header.origin, down.header.key, down.buffers) == (client.id, "a", (b"down",))
        fields = {"key": "a", "origin": client.id, "buffers": [b"up"]}
        world.says(node, "px_debug_data", {"at": 0, "taken": 4}, RankSet.of(0), **fields)
        assert [m.buffers for m in world.server.to(client, "px_debug_data")] == [(b"up",)]
        assert world.server.to(other, "px_debug_data") == []
        world.controller.peer_left(node, "it was killed")
        assert world.server.to(client, "px_missing") == []

    run(check)
