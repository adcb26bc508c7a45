"""An outlet at the pace of who looks cuts what is too much at once, and tells of it when the view opens again."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from pxshell.protocol.message import Message
from pxshell.protocol.pace import BURST_BYTES
from pxshell.ranks import RankSet
from pxshell.transport.paced import PacedOutlet

RATE = 2e6


class View:
    """What comes through."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.changed = asyncio.Event()
        self.outlet = PacedOutlet(asyncio.get_running_loop(), self._send, lambda ranks: f"rank-{ranks}.log")

    def _send(self, message: Message) -> bool:
        self.messages.append(message)
        self.changed.set()
        return True

    def says(self, kind: str, text: str = "", origin: str = "me") -> None:
        content = {"name": "stdout", "text": text}
        self.outlet.deliver(Message.make(kind, "m", content, ranks=RankSet([3]), parent="cell", origin=origin))

    def fill(self) -> None:
        self.says("stream", "x" * BURST_BYTES + "\n")

    async def wait(self, kind: str) -> Message:
        async with asyncio.timeout(30):
            while True:
                found = next((message for message in self.messages if message.type == kind), None)
                if found is not None:
                    return found
                self.changed.clear()
                await self.changed.wait()

    def kinds(self) -> list[str]:
        return [message.type for message in self.messages]


def run(test: Callable[[View], Awaitable[None]]) -> None:
    async def main() -> None:
        view = View()
        try:
            await test(view)
        finally:
            view.outlet.close()

    asyncio.run(main())


def test_text_beyond_the_pace_is_cut_and_told_of_without_anybody_asking(monkeypatch: pytest.MonkeyPatch) -> None:
    """P2: the notice comes though nothing more is said."""

    async def check(view: View) -> None:
        # The budget's clock stands meanwhile, however busy the machine.
        loop = asyncio.get_running_loop()
        now = loop.time()
        with monkeypatch.context() as one_moment:
            one_moment.setattr(loop, "time", lambda: now)
            view.outlet.set_paces({"me": RATE})
            view.fill()
            assert not view.outlet.is_open("me")
            view.says("stream", "too much\n")
            assert view.kinds() == ["stream"]
        cut = await view.wait("px_cut")
        assert cut.data() == {"bytes": 9, "lines": 1, "file": "rank-3.log"}
        assert (cut.ranks, cut.parent, cut.header.origin) == (RankSet([3]), "cell", "me")
        view.says("stream", "in view again\n")
        assert view.kinds() == ["stream", "px_cut", "stream"]

    run(check)


def test_an_answer_is_not_kept_waiting_by_a_closed_view() -> None:
    """P1: the notice stands before it; P7: no client's pace delays an answer."""

    async def check(view: View) -> None:
        view.outlet.set_paces({"me": 1.0})
        view.fill()
        view.says("stream", "too much\n")
        view.says("px_place")
        view.says("execute_reply")
        assert view.kinds() == ["stream", "px_place", "px_cut", "execute_reply"]

    run(check)


def test_each_client_has_its_own_pace_and_who_named_none_gets_all() -> None:
    """P7: a terminal that shows little takes nothing from a notebook."""

    async def check(view: View) -> None:
        view.outlet.set_paces({"me": 1.0})
        for _ in range(3):
            view.fill()
            view.says("stream", "x" * BURST_BYTES, origin="other")
        assert not view.outlet.is_open("me")
        assert view.outlet.is_open("other")
        assert len([message for message in view.messages if message.header.origin == "other"]) == 3

    run(check)


def test_a_pace_that_is_told_again_saves_up_nothing() -> None:
    """P7: clients that come and go open no view; one that shows all again opens it at once."""

    async def check(view: View) -> None:
        view.outlet.set_paces({"me": 1.0})
        view.fill()
        view.outlet.set_paces({"me": 1.0, "you": 2.0})
        assert not view.outlet.is_open("me")
        view.says("stream", "too much\n")
        view.outlet.set_paces({})
        assert view.kinds() == ["stream", "px_cut"]
        assert view.outlet.is_open("me")

    run(check)
