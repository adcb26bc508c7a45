"""Engines that nobody launched for us are found by what they leave in the runtime directory."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pxshell.errors import DirectoryError
from pxshell.rendezvous import worlds
from pxshell.rendezvous.directories import runtime_subdirectory
from pxshell.rendezvous.worlds import WorldInfo


def info(world: str = "pmi-n1:45939.0", started: float = 5.0) -> WorldInfo:
    """Make up a world."""
    return WorldInfo(
        world=world, script="sim.py", size=4, started=started, command=["python", "sim.py", "--steps", "9"]
    )


def join(world: str, rank: int, pid: int) -> Path:
    """Register as an engine does; the socket is a plain file, since nobody connects."""
    path, _ = worlds.enter_world(info(world), rank, pid, Path.touch)
    return path


def everybody_runs(_pid: int, _moment: float) -> bool:
    """Say that each process runs."""
    return True


def nobody_runs(_pid: int, _moment: float) -> bool:
    """Say that no process runs."""
    return False


def test_worlds_are_listed_with_their_engines() -> None:
    """What ``pxshell list`` shows and what ``pxshell attach`` connects to."""
    paths = [join("a", rank, 100 + rank) for rank in (1, 0)]
    (world,) = worlds.list_worlds(everybody_runs)
    assert world.info == info("a")
    assert [(engine.rank, engine.pid) for engine in world.engines] == [(0, 100), (1, 101)]
    assert {engine.path for engine in world.engines} == set(paths)


def test_a_node_finds_the_engines_of_its_world() -> None:
    """By rank, the running ones only, and none where the world has ended meanwhile."""
    paths = [join("a", rank, 100 + rank) for rank in (10, 9)]
    assert worlds.engine_sockets(paths[0].parent, everybody_runs) == paths[::-1]
    assert worlds.engine_sockets(paths[0].parent, lambda pid, _moment: pid == 110) == paths[:1]
    assert worlds.engine_sockets(paths[0].parent / "gone") == []


def test_an_engine_may_end_while_somebody_looks() -> None:
    """Its socket is gone before it can be judged; the others are still found."""
    paths = [join("a", rank, 100 + rank) for rank in (0, 1)]

    def end_the_others(pid: int, _moment: float) -> bool:
        for path in paths:
            if f".{pid}." not in path.name:
                path.unlink(missing_ok=True)
        return True

    assert len(worlds.engine_sockets(paths[0].parent, end_the_others)) == 1


def test_worlds_are_listed_from_the_oldest() -> None:
    """The order does not depend on the names of directories."""
    for name, started in (("x", 7.0), ("y", 5.0), ("z", 6.0)):
        worlds.enter_world(info(name, started), 0, 1, Path.touch)
    assert [world.info.world for world in worlds.list_worlds(everybody_runs)] == ["y", "z", "x"]


def test_dead_engines_are_cleaned_away() -> None:
    """Nothing that a killed program left stays in the list or on the disk; the living stay."""
    gone, here = join("a", 0, 100), join("a", 1, 101)
    (world,) = worlds.list_worlds(lambda pid, _moment: pid == 101)
    assert [engine.rank for engine in world.engines] == [1]
    assert (gone.exists(), here.exists()) == (False, True)
    assert {path.name for path in here.parent.iterdir()} == {"1.101.json", "1.101.sock"}


def test_dead_worlds_are_removed() -> None:
    """Nothing of a world stays whose engines were all killed."""
    directory = join("a", 0, 100).parent
    assert worlds.list_worlds(nobody_runs) == []
    assert not directory.exists()


def test_a_world_that_is_just_beginning_is_left_alone() -> None:
    """Between its file and its socket an engine runs already: it is not listed yet, and nothing is taken from it."""

    def bind(path: Path) -> None:
        assert worlds.list_worlds(everybody_runs) == []
        path.touch()

    worlds.enter_world(info("a"), 0, 100, bind)
    assert len(worlds.list_worlds(everybody_runs)) == 1


def test_an_engine_enters_although_the_last_one_before_it_leaves_meanwhile() -> None:
    """P8: a rank that has ended takes the world's directory along, under the hands of one that starts late."""
    tries = []

    def bind(path: Path) -> str:
        tries.append(path)
        if len(tries) < 3:
            # As a rank does that was there, and ends; our own file, which is about to be made, is not there then.
            worlds.forget_engine(path)
        path.touch()
        return "bound"

    path, bound = worlds.enter_world(info("a"), 1, 101, bind)
    assert (bound, len(tries)) == ("bound", 3)
    (world,) = worlds.list_worlds(everybody_runs)
    assert [engine.path for engine in world.engines] == [path]


def test_an_engine_enters_although_the_directory_that_it_finds_is_removed_at_that_moment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """P8: a directory that "exists already" may be gone a moment later."""
    directory, mkdir, removed = worlds.world_directory("a"), os.mkdir, []

    def find(path: Path, *mode: int) -> None:
        try:
            mkdir(path, *mode)
        except FileExistsError:
            if Path(path) == directory and not removed:
                directory.rmdir()
                removed.append(directory)
            raise

    monkeypatch.setattr(os, "mkdir", find)
    assert join("a", 0, 100).exists()
    assert removed


def test_a_directory_that_is_taken_away_again_and_again_is_an_error() -> None:
    """P10: no engine tries for ever."""

    def bind(path: Path) -> None:
        worlds.forget_engine(path)
        path.touch()

    with pytest.raises(FileNotFoundError):
        worlds.enter_world(info("a"), 0, 100, bind)


COME_AND_GO = """
import os, sys
from pathlib import Path
from pxshell.rendezvous import worlds
info = worlds.WorldInfo(world="a", script="sim.py", size=4, started=5.0, command=[])
for _ in range(300):
    path, _ = worlds.enter_world(info, int(sys.argv[1]), os.getpid(), Path.touch)
    assert os.getpid() in [engine.pid for world in worlds.list_worlds() for engine in world.engines]
    worlds.forget_engine(path)
"""


def test_ranks_that_come_and_go_do_not_disturb_each_other() -> None:
    """P8: whatever the others do, a rank that has entered is found, and the last one leaves nothing."""
    ranks = [
        subprocess.Popen([sys.executable, "-c", COME_AND_GO, str(rank)], stderr=subprocess.PIPE, text=True)
        for rank in range(3)
    ]
    ends = [(rank.communicate(timeout=60)[1], rank.returncode) for rank in ranks]
    assert ends == [("", 0)] * 3
    assert list(runtime_subdirectory("worlds").iterdir()) == []


def test_a_pid_that_was_used_again_is_no_engine() -> None:
    """The process must be older than its socket: this one is, unless the socket seems ancient."""
    path = join("a", 0, os.getpid())
    assert len(worlds.list_worlds()) == 1
    os.utime(path, (1.0, 1.0))
    assert worlds.list_worlds() == []
    assert not path.exists()


def test_the_last_engine_takes_its_world_along() -> None:
    """An orderly end leaves nothing behind."""
    first, second = join("a", 0, 100), join("a", 1, 101)
    worlds.forget_engine(first)
    assert second.exists()
    worlds.forget_engine(second)
    worlds.forget_engine(second)
    assert not second.parent.exists()


def test_a_world_whose_files_cannot_be_used_is_not_listed() -> None:
    """P9: what somebody else could have written is not shown; one engine's file that can be used is enough."""
    path = join("a", 0, 100)
    for text, mode in (("{", 0o600), ("{}", 0o644)):
        path.with_suffix(".json").write_text(text)
        path.with_suffix(".json").chmod(mode)
        assert worlds.list_worlds(everybody_runs) == []
    join("a", 1, 101)
    (world,) = worlds.list_worlds(everybody_runs)
    assert [engine.rank for engine in world.engines] == [0, 1]


def test_other_files_are_left_alone() -> None:
    """Only names that engines give are sockets of engines."""
    path = join("a", 0, 100)
    (path.parent / "notes.sock").touch()
    (path.parent.parent / "file").touch()
    (world,) = worlds.list_worlds(everybody_runs)
    assert len(world.engines) == 1
    assert (path.parent / "notes.sock").exists()


@pytest.mark.parametrize("world", ["", "a/../../b", "é" * 300, "torchrun-none.2.n1.29500", "x\udcff"])
def test_any_world_id_gives_a_short_safe_directory(world: str) -> None:
    """World ids come from launchers, and may hold anything."""
    directory = worlds.world_directory(world)
    assert directory.parent.name == "worlds"
    assert directory.name.isascii()
    assert len(directory.name) <= 29


def test_different_worlds_have_different_directories() -> None:
    """Also where only characters differ that a file name cannot have."""
    assert worlds.world_directory("a:b") != worlds.world_directory("a/b")
    assert worlds.world_directory("x" * 40 + "y") != worlds.world_directory("z" * 40 + "y")


def test_a_runtime_directory_that_is_too_deep_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """P10: the engine says so, and not bind()."""
    deep = tmp_path / ("d" * 80)
    monkeypatch.setenv("PXSHELL_RUNTIME_DIR", str(deep))
    with pytest.raises(DirectoryError, match="at most 100 bytes"):
        join("a", 0, 1)
