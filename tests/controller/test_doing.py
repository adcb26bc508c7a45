"""Tests of the file that says what ranks do."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from pxshell.cluster.files import read_doing
from pxshell.controller.doing import Doing, doing_of
from pxshell.protocol.state import Activity, Liveness, RankState, StateTable
from pxshell.ranks import RankSet

RUNNING = RankState(Activity.BUSY, cell="run")


def table(*groups: tuple[str, RankState]) -> StateTable:
    return StateTable({state: RankSet.parse_folded(ranks) for ranks, state in groups})


async def written(path: Path, *tables: StateTable) -> bytes:
    """Tell of each table in one moment, and wait for the file."""
    current = [StateTable()]
    file = Doing(asyncio.get_running_loop(), path, lambda: current[0])
    for states in tables:
        current[0] = states
        file.changed()
    async with asyncio.timeout(30):
        while not path.exists():
            await asyncio.sleep(0.001)
    file.close()
    return path.read_bytes()


def test_the_file_has_the_last_of_several_changes(tmp_path: Path) -> None:
    """P7: however fast states change, it is written a few times a second."""
    paused = [(f"{rank}", RankState(Activity.PAUSED, line=rank)) for rank in range(3)]
    last = table(*paused, ("3", RUNNING))
    data = asyncio.run(written(tmp_path / "doing.json", table(("0-3", RUNNING)), last))
    assert json.loads(data) == {"paused": [3, "0-2"], "running": [1, "3"]}
    assert read_doing(tmp_path) == "0-2 paused, 3 running"
    assert (tmp_path / "doing.json").stat().st_mode & 0o077 == 0


def test_one_word_of_all_ranks_needs_no_ranks(tmp_path: Path) -> None:
    asyncio.run(written(tmp_path / "doing.json", table(("0-3", RankState(Activity.IDLE)))))
    assert read_doing(tmp_path) == "idle"


def test_where_there_is_no_file_nothing_is_known(tmp_path: Path) -> None:
    assert read_doing(tmp_path) == ""


def test_many_states_and_long_rank_sets_are_counted() -> None:
    """P7: of 128,000 ranks the file is as small as of four."""
    even = RankSet.of(*range(0, 200, 2))
    assert doing_of(StateTable({RUNNING: even})) == {"running": (100, "")}
    many = {RankState(Activity.PAUSED, line=n): RankSet.of(n) for n in range(500)}
    assert doing_of(StateTable(many)) == {"paused": (500, "")}


def test_a_rank_that_does_not_answer_is_told_so() -> None:
    states = table(("0", RankState(Activity.BUSY, Liveness.UNRESPONSIVE, cell="run")), ("1", RUNNING))
    assert list(doing_of(states)) == ["unresponsive", "running"]


def test_a_disk_that_is_full_costs_the_file_alone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def check() -> None:
        file = Doing(asyncio.get_running_loop(), tmp_path / "none" / "doing.json", StateTable)
        file.changed()
        async with asyncio.timeout(30):
            while not caplog.messages:
                await asyncio.sleep(0.001)
        file.close()

    asyncio.run(check())
    assert "cannot write" in caplog.text
