"""Tests of `pxshell.client.partition`."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pxshell.client.partition import gather, scatter


@given(st.lists(st.integers()), st.integers(1, 9))
def test_gathering_what_was_scattered_gives_it_back(values: list[int], parts: int) -> None:
    """P2: nothing lost, nothing twice; the parts differ by one element at most."""
    cut = scatter(values, parts)
    assert len(cut) == parts
    assert gather(cut) == values
    assert max(map(len, cut)) - min(map(len, cut)) <= 1


def test_arrays_stay_arrays() -> None:
    """The first axis is cut, the others stay."""
    data = np.arange(12).reshape(6, 2)
    assert (gather(scatter(data, 4)) == data).all()
