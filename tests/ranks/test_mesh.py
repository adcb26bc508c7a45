"""A mesh arranges ranks along named axes, and rank sets can be written by their places."""

from __future__ import annotations

from itertools import product
from math import prod

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pxshell.errors import RankSetError
from pxshell.ranks import Context, Mesh, RankSet, parse

EIGHT = Context(universe=RankSet.span(0, 8), mesh=Mesh.parse("dp=2,tp=4"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("dp=0", "0-3"),
        ("tp=0", "0,4"),
        ("dp=0&tp=2-3", "2-3"),
        ("dp=1&tp=2", "6"),
        ("tp=:", "0-7"),
        ("tp=::2", "0,2,4,6"),
        ("tp=2:", "2-3,6-7"),
        ("tp = 1-3/2", "1,3,5,7"),
        ("all!dp=0", "4-7"),
        ("tp=0,dp=1", "0,4-7"),
    ],
)
def test_places_along_axes_select_ranks(text: str, expected: str) -> None:
    """Row-major: the last axis runs fastest, and what is no coordinate keeps its meaning."""
    assert str(parse(text, EIGHT)) == expected


@pytest.mark.parametrize(
    ("text", "position", "words"),
    [
        ("pp=0", 0, "the mesh has no axis pp; it is dp=2,tp=4"),
        ("tp=4", 3, "axis tp has the places 0-3"),
        ("tp=2-9", 3, "axis tp has the places 0-3"),
        ("tp=", 3, "expected a rank"),
        ("tp=4:", 3, "no rank is in this slice"),
    ],
)
def test_a_place_that_is_not_there_is_refused(text: str, position: int, words: str) -> None:
    """P10: one line that says what there is, and where the fault is."""
    with pytest.raises(RankSetError) as caught:
        parse(text, EIGHT)
    assert caught.value.position == position
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("text", "position", "words"),
    [
        ("", 0, "axes with sizes"),
        ("dp", 0, "axes with sizes"),
        ("dp=2,", 5, "axes with sizes"),
        ("dp=-1", 0, "axes with sizes"),
        ("dp=2 tp=4", 5, "expected a comma"),
        ("dp=2,dp=4", 5, "axis dp stands twice"),
        ("dp=2,tp=0", 8, "axis tp has no rank"),
        ("host=2", 0, "host has a meaning"),
        ("a=99999,b=99999", 10, "at most"),
    ],
)
def test_a_mesh_that_cannot_be_is_refused(text: str, position: int, words: str) -> None:
    """P10: one line that says why, and where the fault is."""
    with pytest.raises(RankSetError) as caught:
        Mesh.parse(text)
    assert caught.value.position == position
    assert words in str(caught.value)


def test_a_mesh_has_as_many_ranks_as_the_cluster() -> None:
    """P10: the numbers stand in the refusal."""
    mesh = Mesh.parse(" dp = 2 , tp=04 ")
    assert mesh.check_size(8) is mesh
    with pytest.raises(RankSetError, match="this mesh has 8 ranks, and the cluster 6"):
        mesh.check_size(6)


def test_an_axis_that_is_not_there_selects_nothing() -> None:
    """Callers look at `length` first."""
    mesh = Mesh.parse("dp=2")
    assert mesh.length("tp") is None
    with pytest.raises(KeyError):
        mesh.select("tp", range(1))


@given(st.lists(st.integers(1, 5), min_size=1, max_size=4), st.data())
def test_every_rank_has_the_place_that_row_major_order_gives(sizes: list[int], data: st.DataObject) -> None:
    """The whole mesh against the definition, and its text is read as that mesh."""
    mesh = Mesh(tuple((f"a{number}", size) for number, size in enumerate(sizes)))
    assert Mesh.parse(str(mesh)) == mesh
    assert mesh.size == prod(sizes)
    axis = data.draw(st.integers(0, len(sizes) - 1))
    wanted = range(data.draw(st.integers(0, sizes[axis] - 1)), sizes[axis])
    places = list(product(*(range(size) for size in sizes)))
    expected = RankSet(rank for rank, place in enumerate(places) if place[axis] in wanted)
    assert mesh.select(f"a{axis}", wanted) == expected
