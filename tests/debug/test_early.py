"""What is held back from an editor, which would forget it, and for how long: with one rank and with many."""

import pytest
from debug.simulated import Stage

from pxshell.debug.relay import Relay
from pxshell.debug.together import Together
from pxshell.ranks import RankSet

MAKE = {
    "one": lambda: Stage(Relay(0, "sim-1", lambda _: True, lambda _: "running"), [0]),
    "all": lambda: Stage(
        Together(RankSet.span(0, 2), "sim-1", lambda _: True, lambda _: "running", lockstep=False), [0, 1]
    ),
}


@pytest.fixture(params=MAKE)
def stage(request):
    return MAKE[request.param]()


def names(stage):
    return [one["event"] for one in stage.told if one["type"] == "event" and one["event"] in {"stopped", "thread"}]


def stand(stage, *, before):
    """Let all ranks stand before the editor is ready, as paused ones do; debugpy lists their threads afterwards."""
    for rank in stage.ranks.values():
        rank.stop = lambda *_: None
        if before:
            rank.event("stopped", reason="breakpoint", threadId=1)


def test_a_stop_that_comes_too_early_is_told_when_the_editor_has_set_its_breakpoints(stage):
    """P3: VS Code drops it else, and shows a rank that runs."""
    stand(stage, before=True)
    stage.body("initialize")
    stage.body("attach")
    assert names(stage) == []
    stage.body("configurationDone")
    if stage.puts_off:
        stage.due()
    order = [one.get("command") or one.get("event") for one in stage.told]
    assert order.index("configurationDone") < order.index("stopped")
    assert len(stage.events("stopped")) == 1


def test_a_thread_that_stands_does_not_begin_afterwards(stage):
    """P3: VS Code forgets a stop when it is told that the thread begins."""
    stand(stage, before=True)
    stage.begin()
    for rank in stage.ranks.values():
        rank.event("thread", reason="started", threadId=1)
        rank.event("thread", reason="started", threadId=2)
    assert len(stage.events("thread")) == len(stage.ranks)  # the other thread of each
    for rank in stage.ranks.values():
        rank.event("thread", reason="exited", threadId=2)
        rank.event("continued", threadId=1, allThreadsContinued=True)
    stage.events("thread")
    for rank in stage.ranks.values():
        rank.event("thread", reason="started", threadId=1)
    assert len(stage.events("thread")) == len(stage.ranks)


def test_a_rank_that_goes_on_alone_leaves_the_others_standing(stage):
    stand(stage, before=True)
    stage.begin()
    first = stage.ranks[0]
    first.event("stopped", reason="step", threadId=2)
    first.event("continued", threadId=2)
    stage.events("thread")
    first.event("thread", reason="started", threadId=1)
    assert stage.events("thread") == []
    first.event("thread", reason="started", threadId=2)
    assert len(stage.events("thread")) == 1


def test_what_a_rank_said_that_is_gone_since_is_not_told():
    """Its threads are nobody's."""
    stage = MAKE["all"]()
    stand(stage, before=True)
    stage.body("initialize")
    stage.body("attach")
    stage.do(stage.conversation.rank_ended(1, "it is gone: signal 9 (KILL)"))
    stage.body("configurationDone")
    stage.due()
    assert [one["text"].split(" at ")[0] for one in stage.events("stopped")] == ["rank 0"]


def test_a_pause_that_stood_is_not_called_a_breakpoint():
    stage = MAKE["one"]()
    stand(stage, before=False)
    stage.begin()
    stage.ranks[0].event("stopped", reason="breakpoint", threadId=1)
    stage.ranks[0].event("stopped", reason="breakpoint", threadId=1, hitBreakpointIds=[1])
    assert [one.get("description") for one in stage.events("stopped")] == ["Paused", None]
