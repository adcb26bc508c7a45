"""The word in the name of a rank's thread, from its state."""

import pytest

from pxshell.debug.doing import word_of
from pxshell.protocol.state import Activity, RankState


@pytest.mark.parametrize(
    ("state", "word"),
    [
        (None, "running"),
        (RankState(Activity.BUSY, cell="run"), "running"),
        (RankState(Activity.DEBUGGING, cell="run"), "running"),
        (RankState(Activity.DEBUGGING, cell="run", pause="p1", reason="debugger"), "running"),
        (RankState(Activity.HELD, cell="run", pause="p1"), "held"),
        (RankState(Activity.IDLE), "idle"),
        (RankState(Activity.DEBUGGING), "idle"),
        (RankState(Activity.FAILED, cell="run", pause="f1", reason="exception"), "failed"),
        (RankState(Activity.DEBUGGING, cell="run", pause="f1", reason="exception"), "failed"),
    ],
)
def test_a_rank_is_called_what_it_does(state, word):
    """Whether it stands, debugpy knows first."""
    assert word_of(state) == word
