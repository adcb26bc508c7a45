"""Many ranks in one session of an editor: numbers, breakpoints, folded stops, lockstep, ranks that go."""

import pytest
from debug.simulated import FILE, Stage

from pxshell.debug.ids import Ids
from pxshell.debug.together import Together
from pxshell.ranks import RankSet


def make(count=4, *, lockstep=False):
    ranks = RankSet.span(0, count)
    doing = dict.fromkeys(ranks, "running")
    stage = Stage(Together(ranks, "sim-1", lambda path: path == FILE, doing.get, lockstep=lockstep), ranks)
    stage.doing = doing
    return stage


@pytest.fixture
def stage():
    made = make()
    made.begin()
    return made


def threads_of(stage):
    return {one["name"]: one["id"] for one in stage.body("threads")["threads"]}


@pytest.mark.parametrize("count", [1, 4, 128])
def test_ranks_that_stop_at_one_place_are_told_once(count):
    """P4: all of them, 128 as well as 4; and each is a thread."""
    stage = make(count)
    (breakpoint_,) = stage.begin()
    assert breakpoint_["verified"]
    assert "message" not in breakpoint_
    assert stage.puts_off == 1
    stage.due()
    (stopped,) = stage.events("stopped")
    assert stopped["allThreadsStopped"]
    name = f"ranks 0-{count - 1}" if count > 1 else "rank 0"
    assert (stopped["text"], stopped["reason"]) == (f"{name} at sim.py:88", "breakpoint")
    threads = threads_of(stage)
    assert len(threads) == len(set(threads.values())) == 2 * count
    assert threads["rank 0 · paused"] == stopped["threadId"]
    assert f"rank {count - 1} · Helper" in threads


def test_ranks_at_other_places_are_told_apart_and_none_is_hidden(stage):
    """P4: one rank that stands elsewhere."""
    stage.due()
    stage.events("stopped")
    threads = threads_of(stage)
    for rank in range(4):
        stage.ask("continue", threadId=threads[f"rank {rank} · paused"])
    stage.ranks[3].line = 20
    for rank in (0, 2, 3):
        stage.ranks[rank].stop()
    assert stage.puts_off == 1
    stage.due()
    told = stage.events("stopped")
    assert [one["text"] for one in told] == ["ranks 0,2 at sim.py:88"] * 2 + ["rank 3 at sim.py:20"]
    assert [one["preserveFocusHint"] for one in told] == [False, True, True]
    assert not any(one["allThreadsStopped"] for one in told)
    assert "rank 1 · running" in threads_of(stage)


def test_a_frame_and_a_variable_are_of_the_rank_that_they_came_from(stage):
    """Each debugpy counts from 1: numbers are given out anew."""
    stage.due()
    threads = threads_of(stage)
    frames = {}
    for rank in (1, 3):
        (frame,) = stage.body("stackTrace", threadId=threads[f"rank {rank} · paused"])["stackFrames"]
        frames[rank] = frame["id"]
    assert frames[1] != frames[3]
    for rank, frame in frames.items():
        assert stage.body("evaluate", expression="x", frameId=frame)["result"] == f"x of {rank}"
        (scope,) = stage.body("scopes", frameId=frame)["scopes"]
        (variable,) = stage.body("variables", variablesReference=scope["variablesReference"])["variables"]
        assert (variable["value"], variable["variablesReference"]) == (str(rank), 0)
        assert stage.ranks[rank].asked[-1] == ("variables", {"variablesReference": 6})


def test_continue_and_steps_act_on_the_selected_rank_only(stage):
    stage.due()
    threads = threads_of(stage)
    stage.events("stopped")
    frame = stage.body("stackTrace", threadId=threads["rank 2 · paused"])["stackFrames"][0]
    body = stage.body("continue", threadId=threads["rank 2 · paused"])
    assert body == {"allThreadsContinued": False}
    assert [rank for rank, one in stage.ranks.items() if ("continue", {"threadId": 1}) in one.asked] == [2]
    assert not stage.ask("evaluate", expression="x", frameId=frame["id"])["success"]
    stage.ask("next", threadId=threads["rank 1 · paused"])
    stage.due()
    (stopped,) = stage.events("stopped")
    assert (stopped["text"], stopped["reason"]) == ("rank 1 at sim.py:89", "step")


def test_in_lockstep_they_act_on_all_that_stand():
    stage = make(lockstep=True)
    stage.begin()
    stage.due()
    stage.events("stopped")
    threads = threads_of(stage)
    stage.body("next", threadId=threads["rank 2 · paused"])
    stage.due()
    (stopped,) = stage.events("stopped")
    assert stopped["text"] == "ranks 0-3 at sim.py:89"
    assert stage.body("continue", threadId=threads["rank 0 · paused"]) == {"allThreadsContinued": True}
    stage.body("pause", threadId=threads["rank 0 · paused"])
    assert all(one.asked[-1][0] == "pause" for one in stage.ranks.values())


def test_a_breakpoint_that_some_ranks_have_says_which():
    """P4: a module that only some have loaded, say."""
    stage = make()
    stage.ranks[3].verifies = stage.ranks[1].verifies = False
    first, second = stage.begin(lines=(88, 90))
    assert (first["verified"], first["message"]) == (True, "on 0,2 of 0-3")
    assert first["id"] != second["id"]


def test_a_breakpoint_that_ranks_find_later_says_on_which_it_is_until_it_is_on_all():
    """P4: as each of them imports the module; the editor is told of its own breakpoint, not of a rank's."""
    stage = make()
    for rank in stage.ranks.values():
        rank.verifies = rank.rank == 0
    stage.begin()
    (first,) = stage.body("setBreakpoints", source={"path": FILE}, breakpoints=[{"line": 90}])["breakpoints"]
    assert (first["verified"], first["message"]) == (True, "on 0 of 0-3")
    for rank in (1, 2, 3):
        stage.ranks[rank].find(1)
    told = stage.events("breakpoint")
    assert [one["reason"] for one in told] == ["changed"] * 3
    assert {one["breakpoint"]["id"] for one in told} == {first["id"]}
    assert [one["breakpoint"].get("message") for one in told] == ["on 0-1 of 0-3", "on 0-2 of 0-3", None]
    stage.ranks[1].find(1)
    stage.ranks[1].find(0)  # of the request before, which the editor has replaced
    stage.ranks[1].event("breakpoint", reason="new", breakpoint={"verified": True})
    assert stage.events("breakpoint") == []


def test_a_rank_that_is_gone_counts_for_no_breakpoint(stage):
    """P4: what is on all that are left needs no word; what was on it alone is no more."""
    stage.ranks[3].verifies = False
    body = stage.body("setBreakpoints", source={"path": FILE}, breakpoints=[{"line": 90}])
    assert body["breakpoints"][0]["message"] == "on 0-2 of 0-3"
    stage.do(stage.conversation.rank_ended(3, "the rank is gone"))
    (told,) = stage.events("breakpoint")
    assert told == {
        "reason": "changed",
        "breakpoint": {"id": body["breakpoints"][0]["id"], "verified": True, "line": 90},
    }
    for rank in (0, 1, 2):
        stage.ranks[rank].event("breakpoint", reason="removed", breakpoint={"id": 1, "verified": False})
    told = stage.events("breakpoint")
    assert [one["reason"] for one in told] == ["changed", "changed", "removed"]
    assert told[0]["breakpoint"]["message"] == "on 1-2 of 0-2"


def test_the_breakpoints_that_ranks_have_hit_are_the_editors(stage):
    """Each debugpy counts its own, from 0; functions beside lines, and those of another file stay."""
    stage.due()
    stage.events("stopped")
    functions = stage.body("setFunctionBreakpoints", breakpoints=[])
    assert functions == {"breakpoints": []}
    stage.ranks[2]._setBreakpoints({"breakpoints": [{"line": 1}]})  # its numbers are not those of the others
    body = stage.body("setBreakpoints", source={"path": "/here/b.py"}, breakpoints=[{"line": 88}, {"line": 90}])
    first, second = (one["id"] for one in body["breakpoints"])
    stage.ranks[0].stop(hits=[1])
    stage.ranks[2].stop(hits=[2])
    stage.ranks[1].stop(hits=[77])
    stage.due()
    assert [one.get("hitBreakpointIds") for one in stage.events("stopped")] == [[first], None, [first]]
    for rank, hits in ((0, [2]), (1, [1]), (2, [3]), (3, None)):
        stage.ranks[rank].stop(hits=hits)
    stage.due()
    (stopped,) = stage.events("stopped")
    assert stopped["hitBreakpointIds"] == [first, second]


def test_what_a_rank_finds_before_the_others_have_answered_is_not_lost(stage):
    """P2: its event is about a breakpoint that the editor has no number of yet."""
    for rank in stage.ranks.values():
        rank.verifies = False
    last, take = stage.ranks[3], stage.ranks[3].take
    last.take = lambda message: (stage.ranks[0].find(1), take(message))
    body = stage.body("setBreakpoints", source={"path": FILE}, breakpoints=[{"line": 90}])
    assert stage.events("breakpoint") == []
    assert (body["breakpoints"][0]["verified"], body["breakpoints"][0]["message"]) == (True, "on 0 of 0-3")


def test_a_thread_is_named_by_what_its_rank_does_and_named_anew_when_that_changes(stage):
    """P6: one that waits in MPI is not called running."""
    stage.due()
    threads = threads_of(stage)
    stage.doing |= {1: "held", 2: "failed"}
    for rank in (0, 1):
        stage.ask("continue", threadId=threads[f"rank {rank} · paused"])
    stage.events("thread")
    names = threads_of(stage)
    assert [name for name in names if "Helper" not in name] == [
        "rank 0 · running",
        "rank 1 · held",
        "rank 2 · failed",
        "rank 3 · paused",
    ]
    stage.do(stage.conversation.states_changed())
    assert stage.events("thread") == []
    stage.doing |= {0: "idle", 1: "running", 3: "running"}
    for _ in range(2):  # the second time it is on its way to read them
        stage.do(stage.conversation.states_changed())
    numbers = [names["rank 0 · running"], names["rank 1 · held"]]
    assert stage.events("thread") == [{"reason": "started", "threadId": number} for number in numbers]


def test_a_step_leaves_ranks_alone_that_have_failed():
    """P4: with its exception a job may end."""
    stage = make(lockstep=True)
    stage.begin()
    stage.due()
    threads = threads_of(stage)
    stage.doing[2] = "failed"
    assert "rank 2 has failed" in stage.ask("next", threadId=threads["rank 2 · paused"])["message"]
    for command in ("next", "continue"):
        stage.body(command, threadId=threads["rank 0 · paused"])
        asked = [rank for rank, one in stage.ranks.items() if (command, {"threadId": 1}) in one.asked]
        assert asked == [0, 1, 3]
    stage.body("continue", threadId=threads["rank 2 · paused"])
    assert ("continue", {"threadId": 1}) in stage.ranks[2].asked


def test_a_pause_of_ranks_that_cannot_stop_now_is_refused_or_says_when_they_will():
    """P3, P10: in lockstep for those of them that are asked."""
    stage = make(lockstep=True)
    stage.begin()
    stage.due()
    threads = threads_of(stage)
    stage.body("continue", threadId=threads["rank 0 · paused"])
    stage.doing |= {1: "idle", 2: "held"}
    assert "rank 1 is idle" in stage.ask("pause", threadId=threads["rank 1 · paused"])["message"]
    stage.body("pause", threadId=threads["rank 0 · paused"])
    assert [rank for rank, one in stage.ranks.items() if one.asked[-1][0] == "pause"] == [0, 2, 3]
    assert [one["output"] for one in stage.events("output")] == [
        "rank 2 waits in C, in MPI for instance: it stops when it comes out of it\n"
    ]


def test_no_rank_has_it():
    stage = make()
    for rank in stage.ranks.values():
        rank.verifies = False
    assert [one["verified"] for one in stage.begin()] == [False]


def test_a_rank_that_is_gone_is_told_and_the_others_go_on(stage):
    """P8: nobody waits for it."""
    stage.due()
    threads = threads_of(stage)
    stage.do(stage.conversation.rank_ended(2, "the rank is gone"))
    assert stage.events("output")[-1]["output"] == "rank 2: the rank is gone\n"
    assert {"reason": "exited", "threadId": threads["rank 2 · paused"]} in stage.events("thread")
    assert len(threads_of(stage)) == 6
    answer = stage.ask("stackTrace", threadId=threads["rank 2 · paused"])
    assert (answer["success"], answer["message"]) == (False, "its rank has gone on, or is gone")
    for rank in (0, 1, 3):
        stage.do(stage.conversation.rank_ended(rank, "the rank is gone"))
    assert stage.events("terminated") == [{}]
    assert stage.end == "rank 3: the rank is gone"


def test_a_rank_that_refuses_is_left_out_and_one_that_never_answers_is_not_waited_for():
    """P3: also while an answer of it is missing."""
    stage = make()
    stage.do(stage.conversation.rank_refused(1, "debugged by jane"))
    assert "debugged by jane" in stage.events("output")[0]["output"]
    stage.ranks[2].take = lambda message: None
    assert stage.ask("initialize") is None
    stage.do(stage.conversation.rank_ended(2, "gone"))
    assert stage.told[-1]["command"] == "initialize"
    stage.body("attach")
    assert len(stage.events("initialized")) == 1


def test_when_all_refuse_the_editor_is_told_why():
    """P10."""
    stage = make(2)
    for rank in (0, 1):
        stage.do(stage.conversation.rank_refused(rank, "no debugpy"))
    answer = stage.ask("initialize")
    assert (answer["success"], answer["message"]) == (False, "rank 0: no debugpy")
    assert stage.end == "rank 0: no debugpy"


def test_sources_of_a_rank_are_fetched_from_that_rank(stage):
    stage.due()
    threads = threads_of(stage)
    stage.conversation._sources._has_file = lambda path: False
    frame = stage.body("stackTrace", threadId=threads["rank 3 · paused"])["stackFrames"][0]
    stage.ask("source", sourceReference=frame["source"]["sourceReference"])
    assert [(one.rank, one.file) for one in stage.fetched] == [(3, FILE)]


def test_what_is_nobodys_is_refused_and_good_bye_ends_it(stage):
    assert stage.ask("continue", threadId=99)["message"] == "there is no such thread any more"
    assert stage.ask("readMemory")["message"] == "debugpy does not know readMemory"
    assert stage.body("evaluate", expression="x")["result"] == "x of 0"
    assert stage.conversation.editor_said({"type": "response"}) == []
    assert stage.ask("disconnect")["success"]
    assert stage.end == "the editor has gone"


def test_output_of_a_rank_has_its_number_and_what_is_the_same_everywhere_comes_once(stage):
    stage.ranks[2].event("output", category="stdout", output="hi\n")
    assert stage.events("output")[0]["output"] == "[2] hi\n"
    for rank in stage.ranks.values():
        rank.event("module", reason="new")
        rank.event("process", startMethod="attach")
        rank.event("thread", reason="started", threadId=2)
        rank.event("exited", exitCode=0)
        rank.say({"type": "response", "request_seq": 12345, "success": True})
    assert len(stage.events("module")) == 1
    assert stage.events("process") == [{"name": "ranks 0-3 of sim-1", "isLocalProcess": False, "startMethod": "attach"}]
    assert len({one["threadId"] for one in stage.events("thread")}) == 4
    assert stage.events("exited") == []


def test_a_request_that_every_rank_refuses_is_refused(stage):
    for rank in stage.ranks.values():
        rank.take = lambda message, rank=rank: rank.say(
            {"type": "response", "request_seq": message["seq"], "success": False, "message": "not now"}
        )
    assert stage.ask("threads")["message"] == "not now"


def test_ids_are_one_to_one_and_forgotten_by_rank():
    ids = Ids(first=10)
    numbers = {(rank, number): ids.out(rank, number) for rank in (0, 1) for number in (1, 2)}
    assert sorted(numbers.values()) == [10, 11, 12, 13]
    assert all(ids.back(out) == key for key, out in numbers.items())
    assert ids.out(0, 1) == numbers[0, 1]
    assert ids.out(0, 0) == 0
    ids.forget(0)
    assert (len(ids), ids.back(numbers[0, 1]), ids.back(numbers[1, 1])) == (2, None, (1, 1))
