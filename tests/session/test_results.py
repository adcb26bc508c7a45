"""The answers to the last cells are kept within their limit, however often a cell is kept anew."""

from pxshell.ranks import RankSet
from pxshell.render.events import Answer, CellAnswers
from pxshell.session.results import Results


def answers(cell: int, size: int) -> CellAnswers:
    return CellAnswers(cell, (Answer(RankSet([0]), {"text/plain": "x" * size}),))


def test_a_cell_that_is_kept_anew_counts_once():
    """P7: looking at a cell in flight, and its answers at the end, are one entry of one size."""
    results = Results(max_cells=10, max_bytes=100)
    results.keep(answers(1, 40))
    for _ in range(5):
        results.watch(2, lambda: answers(2, 0))
        results.keep(answers(2, 50))
    assert 1 in results
    assert 2 in results


def test_what_is_dropped_makes_room_again():
    """P7: the limit is of what is kept, not of all that ever was."""
    results = Results(max_cells=10, max_bytes=100)
    for cell in range(1, 20):
        results.keep(answers(cell, 40))
    assert len(results) == 2
    assert {18, 19} == {cell for cell in range(1, 20) if cell in results}


def test_the_last_cell_stays_however_long_it_is():
    """P7: what was answered last can always be shown again; the next one takes its place."""
    results = Results(max_cells=10, max_bytes=100)
    results.keep(answers(1, 1000))
    assert results.get().cell == 1
    results.keep(answers(2, 60))
    results.keep(answers(3, 40))
    assert [cell in results for cell in (1, 2, 3)] == [False, True, True]
