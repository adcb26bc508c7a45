"""Tests of `pxshell.node.output`."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable

from pxshell.node.output import RankOutput, pipe_size
from pxshell.node.turns import Turns
from pxshell.protocol.marks import Scope, cell_mark, position_mark, stream_mark


class Rank:
    """A rank's two pipes from both sides."""

    def __init__(self) -> None:
        self.said: list[tuple[str, str, str]] = []
        self.logged: list[str] = []
        self.turns = Turns(asyncio.get_running_loop())
        self.output = RankOutput(self.turns, lambda *text: self.said.append(text), self.logged.append)
        self.out, self.err = (os.dup(fd) for fd in self.output.write_ends)
        self.output.release()
        self.token = self.output.token

    def mark(self, number: int) -> None:
        for fd in (self.out, self.err):
            os.write(fd, position_mark(self.token, number))

    async def said_by(self, count: int) -> list[tuple[str, str, str]]:
        async with asyncio.timeout(30):
            while len(self.said) < count:
                await asyncio.sleep(0.001)
        return self.said

    def close(self) -> None:
        os.close(self.out)
        os.close(self.err)
        self.output.close()
        self.turns.close()


def run(test: Callable[[Rank], Awaitable[None]]) -> None:
    async def main() -> None:
        rank = Rank()
        try:
            await test(rank)
        finally:
            rank.close()

    asyncio.run(main())


def test_text_before_a_mark_is_handed_on_before_the_message_and_text_behind_it_after() -> None:
    """P1: the order of text and messages is the order in which the rank said them."""

    async def check(rank: Rank) -> None:
        os.write(rank.out, b"before\n")
        rank.mark(1)
        os.write(rank.out, b"behind\n")
        rank.output.advance(1)
        assert rank.said == [("stdout", "", "before\n")]
        rank.output.passed(1)
        assert await rank.said_by(2) == [("stdout", "", "before\n"), ("stdout", "", "behind\n")]

    run(check)


def test_text_waits_behind_a_mark_whose_message_has_not_come() -> None:
    """P1: a pipe that is read early does not overtake the link."""

    async def check(rank: Rank) -> None:
        os.write(rank.out, b"one\n")
        rank.mark(1)
        os.write(rank.out, b"two\n")
        assert await rank.said_by(1) == [("stdout", "", "one\n")]
        rank.output.advance(1)
        assert len(rank.said) == 1
        rank.output.passed(1)
        assert rank.said[1] == ("stdout", "", "two\n")

    run(check)


def test_several_messages_in_a_row_keep_their_text_apart() -> None:
    """P1: each message stands where its mark stands."""

    async def check(rank: Rank) -> None:
        for number in (1, 2, 3):
            os.write(rank.out, f"{number}\n".encode())
            rank.mark(number)
        for number in (1, 2, 3):
            rank.output.advance(number)
            assert rank.said[-1] == ("stdout", "", f"{number}\n")
            assert len(rank.said) == number
            rank.output.passed(number)

    run(check)


def test_pythons_stderr_keeps_its_place_between_lines_of_stdout() -> None:
    """P1: stderr in brackets in the stdout pipe."""

    async def check(rank: Rank) -> None:
        err, out = stream_mark(rank.token, "stderr"), stream_mark(rank.token, "stdout")
        os.write(rank.out, b"a\n" + err + b"oops\n" + out + b"b\n")
        assert await rank.said_by(3) == [("stdout", "", "a\n"), ("stderr", "", "oops\n"), ("stdout", "", "b\n")]

    run(check)


def test_a_partial_line_waits_for_its_end_and_comes_whole() -> None:
    """P1: a stream's unit is the whole line."""

    async def check(rank: Rank) -> None:
        os.write(rank.out, b"half a ")
        await asyncio.sleep(0)
        os.write(rank.out, b"line\n")
        said = await rank.said_by(1)
        assert "".join(text for _, _, text in said) == "half a line\n"

    run(check)


def test_a_partial_line_is_handed_on_by_a_message() -> None:
    """P1: what stands before a message comes before it, whole line or not."""

    async def check(rank: Rank) -> None:
        os.write(rank.out, b"no newline")
        rank.mark(1)
        rank.output.advance(1)
        assert rank.said == [("stdout", "", "no newline")]

    run(check)


def test_text_belongs_to_the_cell_that_the_mark_named() -> None:
    """Text of two cells never mixes, not even within one line."""

    async def check(rank: Rank) -> None:
        for number in (1, 2):
            os.write(rank.out, cell_mark(rank.token, Scope(f"c{number}", "me")) + b"x")
        assert await rank.said_by(2) == [("stdout", "c1@me", "x"), ("stdout", "c2@me", "x")]

    run(check)


def test_the_log_has_all_text_and_no_marks() -> None:
    """P2: the full text is in the rank's log."""

    async def check(rank: Rank) -> None:
        os.write(rank.out, b"a" + position_mark(rank.token, 1) + b"b\n")
        os.write(rank.err, position_mark(rank.token, 1))
        rank.output.advance(1)
        rank.output.passed(1)
        await rank.said_by(2)
        assert "".join(rank.logged) == "ab\n"

    run(check)


def test_a_rank_that_has_ended_is_read_to_its_end() -> None:
    """P2: last words are not lost, also behind a mark whose message never came."""

    async def check(rank: Rank) -> None:
        os.write(rank.out, b"last ")
        os.write(rank.out, position_mark(rank.token, 1) + b"words")
        rank.output.close()
        assert "".join(text for _, _, text in rank.said) == "last words"
        rank.output.close = lambda: None  # type: ignore[method-assign] - the test has closed it

    run(check)


def test_a_megabyte_written_before_one_message_is_read_before_it() -> None:
    """P2: more than a pipe takes at once."""

    async def check(rank: Rank) -> None:
        text = b"x" * 99 + b"\n"
        loop = asyncio.get_running_loop()

        def flood() -> None:
            for _ in range(10_486):
                os.write(rank.out, text)
            rank.mark(1)

        await loop.run_in_executor(None, flood)
        rank.output.advance(1)
        assert sum(len(said[2]) for said in rank.said) == 10_486 * 100

    run(check)


def test_pipes_are_the_smaller_the_more_ranks_a_node_has() -> None:
    """P6: 64 ranks that print wait for the node, and leave it a core; one need not."""
    assert [pipe_size(ranks) for ranks in (1, 4, 16, 64, 1000)] == [1 << 20, 1 << 20, 1 << 18, 1 << 16, 1 << 16]
