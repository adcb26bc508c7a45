"""The items of a rank set are read into ranges, and nothing else is read."""

from __future__ import annotations

import pytest

from pxshell.errors import RankSetError
from pxshell.ranks.items import is_plain, scan_item, scan_plain


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("3", range(3, 4)),
        ("007", range(7, 8)),
        ("0-3", range(4)),
        ("0-15/2", range(0, 16, 2)),
        ("2:8:2", range(2, 8, 2)),
        ("2:8", range(2, 8)),
        ("2:", range(2, 9)),
        (":4", range(4)),
        (":", range(9)),
        ("::2", range(0, 9, 2)),
        ("1::", range(1, 9)),
    ],
)
def test_items_are_ranges(text: str, expected: range) -> None:
    """Ranges have both ends in, slices their end out, open slices reach to the end given."""
    assert scan_item(text, 0, 9) == (expected, len(text))


@pytest.mark.parametrize(
    ("text", "position"),
    [("", 0), ("a", 0), ("-1", 0), ("1-", 2), ("1--2", 2), ("5-3", 0), ("0-3/0", 4), ("4:4", 0), ("::0", 2), ("²", 0)],
)
def test_faults_have_their_place(text: str, position: int) -> None:
    """P10: the position is that of the fault."""
    with pytest.raises(RankSetError) as caught:
        scan_item(text, 0, 9)
    assert caught.value.position == position


def test_endless_digits_are_refused_as_too_high() -> None:
    """Python refuses to convert thousands of digits; people get our message instead."""
    with pytest.raises(RankSetError, match="below"):
        scan_plain("9" * 10_000)


@pytest.mark.parametrize(
    ("text", "plain"),
    [("0-3,7,8-20/4", True), ("", False), ("0,", False), ("0/2", False), (" 0", False), ("0\n", False), ("1:2", False)],
)
def test_plain_texts_are_known_as_such(text: str, plain: bool) -> None:
    """Only numbers, ranges and commas are plain."""
    assert is_plain(text) is plain
