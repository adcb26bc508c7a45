"""Staying with a script: the status is that of the processes, however the news of their ends arrives."""

import pytest

from pxshell.cli.following import wait_for_end
from pxshell.errors import LinkLostError
from pxshell.protocol.state import Activity, Liveness, RankState, StateTable
from pxshell.ranks import RankSet


class ScriptedClient:
    """Its states go on by one step each time a condition does not hold; then its link is lost."""

    name = "calm-fox"
    ranks = RankSet.span(0, 2)

    def __init__(self, *steps):
        self._steps = [StateTable({state: ranks for ranks, state in step.items()}) for step in steps]
        self.states = self._steps.pop(0)

    @property
    def shown_states(self):
        return self.states

    def wait_until(self, condition, timeout):
        while not condition():
            if not self._steps:
                return False
            self.states = self._steps.pop(0)
        return True


BOTH, FIRST, SECOND = RankSet.span(0, 2), RankSet.of(0), RankSet.of(1)
RUNNING = RankState(activity=Activity.BUSY, cell="run")
ENDED = RankState(activity=Activity.ENDED, exit=0)
LOST = RankState(activity=Activity.BUSY, liveness=Liveness.LOST)
KILLED = RankState(activity=Activity.BUSY, liveness=Liveness.DEAD, exit=-9)


def test_the_end_is_the_end_of_all_ranks():
    """The status of the worst of them."""
    assert wait_for_end(ScriptedClient({BOTH: RUNNING}, {FIRST: ENDED, SECOND: RUNNING}, {BOTH: ENDED})) == 0


def test_a_link_that_is_lost_before_its_process_is_reaped_does_not_hide_the_status():
    """P3: lost first, dead of signal 9 a moment later."""
    assert (
        wait_for_end(ScriptedClient({BOTH: RUNNING}, {FIRST: ENDED, SECOND: LOST}, {FIRST: ENDED, SECOND: KILLED}))
        == 137
    )


def test_an_end_that_nobody_can_explain_is_a_failure():
    """Lost for good: status 1."""
    assert wait_for_end(ScriptedClient({BOTH: RUNNING}, {FIRST: ENDED, SECOND: LOST})) == 1


def test_a_controller_that_goes_first_is_reported():
    """P3: nothing waits for ever, and no status is made up."""
    with pytest.raises(LinkLostError, match="its controller has gone before the ranks"):
        wait_for_end(ScriptedClient({BOTH: RUNNING}))
