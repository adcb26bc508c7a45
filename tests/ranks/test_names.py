"""A name of a rank set can be told from everything else in the grammar."""

from __future__ import annotations

import pytest

from pxshell.errors import RankSetError
from pxshell.ranks import RESERVED_NAMES, check_name


@pytest.mark.parametrize("name", ["left", "left_2", "_x", "Top"])
def test_identifiers_are_names(name: str) -> None:
    """What is good comes back, so that it can be used in place."""
    assert check_name(name) == name


@pytest.mark.parametrize("name", ["", "a", "2left", "le ft", "le-ft", "left,", "é", "left\n", *sorted(RESERVED_NAMES)])
def test_other_names_are_refused(name: str) -> None:
    """P10: letters are branches, states and built-in sets keep their meaning."""
    with pytest.raises(RankSetError) as caught:
        check_name(name)
    assert 0 <= caught.value.position <= len(name)
