"""Whether a rank has moved between two looks."""

import sys
import threading

import pytest

from pxshell.engine.moves import Moves
from pxshell.engine.patience import Patience


def test_a_frame_that_stands_is_still_and_counts_the_looks():
    def stands():
        step = 1
        yield
        step += 1
        yield step

    generator, moves = stands(), Moves()
    next(generator)
    assert [moves.still("w", generator.gi_frame) for _ in range(3)] == [0, 1, 2]
    next(generator)
    assert [moves.still("w", generator.gi_frame) for _ in range(2)] == [0, 1]
    generator.close()


def test_a_loop_around_one_call_has_moved_when_a_name_has_changed():
    """A communication that is healthy is at the same place most of the time."""
    moves, seen = Moves(), []

    def looked():
        seen.append(moves.still("w", sys._getframe(1)))

    for _step in range(3):
        looked()
    assert seen == [0, 0, 0]


def test_each_who_looks_has_a_count_of_its_own_and_the_oldest_are_forgotten():
    """P7: the marks of a few are kept."""
    moves = Moves()
    assert [moves.still(watch, None) for watch in ("a", "b", "a", "b")] == [0, 0, 1, 1]
    for number in range(16):
        moves.still(str(number), None)
    assert moves.still("a", None) == 0


def test_a_wait_in_the_place_of_a_call_of_mpi_is_no_move_and_the_next_one_is():
    """P4: a rank stands, though pxshell's loop on top of it spins; a healthy loop around one call moves."""
    moves, counts = Moves(), []

    class Unasked:
        def stop_if_asked(self, frame):
            return False

    def is_done():
        # The one who asks is pxshell's loop: first the one that spins, then the one that sleeps.
        counts.append(moves.still("w", sys._getframe(1), patience.waits))
        return next(looks)

    patience = Patience(Unasked(), threading.get_ident())
    looks = iter(([False] * 203 + [True]) * 2)
    for _ in range(2):
        patience.until(is_done, "Recv")
    assert counts == [*range(204)] * 2


@pytest.mark.parametrize("value", [object(), [1], {"a": 1}])
def test_objects_count_by_identity(value):
    """P5: no method of the program's objects runs."""

    def stands():
        held = value
        yield held
        held = type(value)()
        yield held

    generator, moves = stands(), Moves()
    next(generator)
    moves.still("w", generator.gi_frame)
    assert moves.still("w", generator.gi_frame) == 1
    next(generator)
    assert moves.still("w", generator.gi_frame) == 0
    generator.close()
