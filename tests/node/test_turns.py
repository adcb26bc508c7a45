"""Readers take turns: a flood of many ranks, and what else a loop has to do."""

from __future__ import annotations

import os

import pytest

from pxshell.node.turns import Turns
from pxshell.transport.loop import SelectLoop


@pytest.fixture
def loop():
    made = SelectLoop()
    yield made
    made.close()


@pytest.fixture
def pipes():
    made = [os.pipe() for _ in range(3)]
    yield made
    for ends in made:
        for end in ends:
            os.close(end)


def test_between_two_floods_the_loop_does_something_else_and_each_has_its_turn(loop, pipes):
    """P6: what is asked on the control lane does not wait for all that is printed."""
    turns, events = Turns(loop, turn=0.0), []
    for number, (read_end, write_end) in enumerate(pipes[:2]):
        os.write(write_end, b"xx")
        turns.add_reader(read_end, lambda fd=read_end, number=number: events.append((number, os.read(fd, 1))))
    control, asks = pipes[2]
    os.write(asks, b"????")
    loop.add_reader(control, lambda: events.append(("control", os.read(control, 1))))
    for _ in range(4):
        loop.run_once()
    assert [who for who, _ in events if who != "control"] in ([0, 1, 0, 1], [1, 0, 1, 0])
    assert [who for who, _ in events].count("control") == 4
    assert all("control" in pair for pair in zip(*[iter(who for who, _ in events)] * 2, strict=True))
    for read_end, _ in pipes[:2]:
        turns.remove_reader(read_end)
    turns.close()


def test_a_long_enough_turn_takes_all_that_are_readable(loop, pipes):
    turns, events = Turns(loop, turn=60.0), []
    for read_end, write_end in pipes:
        os.write(write_end, b"x")
        turns.add_reader(read_end, lambda fd: events.append(os.read(fd, 1)), read_end)
    loop.run_once()
    assert events == [b"x"] * 3
    turns.close()


def test_a_reader_that_is_removed_while_it_waits_for_its_turn_is_not_called(loop, pipes):
    turns, read = Turns(loop, turn=0.0), []

    def take(mine, other):
        read.append((mine, os.read(mine, 1)))
        if len(read) == 1:
            turns.remove_reader(other)

    (one, to_one), (two, to_two) = pipes[:2]
    for write_end in (to_one, to_two):
        os.write(write_end, b"xx")
    turns.add_reader(one, take, one, two)
    turns.add_reader(two, take, two, one)
    for _ in range(3):
        loop.run_once()
    assert len(read) == 2
    assert read[0] == read[1]
    turns.close()
