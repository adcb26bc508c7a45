"""`%pxdebug stacks`, and what is said of ranks that wait, on a scripted client."""

import re
import time

import pytest

from pxshell.protocol.stacks import NO_END, Frame, StackEnd
from pxshell.protocol.stacktree import merged_content, reply_of, tree_of
from pxshell.ranks import RankSet
from pxshell.render import Stacks
from pxshell.session.desk import Desk
from pxshell.session.stuck import completing_text, groups_text
from pxshell.session.waiting import Waiting
from pxshell.session.watchdog import Watchdog
from pxshell.testing.scripted import RecordingDisplay, Said, ScriptedClient
from pxshell.testing.waiting import wait_until

MODULE = Frame("/home/me/hang.py", 31, "<module>")
TOTAL = Frame("/home/me/hang.py", 12, "total")
FETCH = Frame("/home/me/hang.py", 20, "fetch")
ALLREDUCE = StackEnd("MPI", "Allreduce", is_collective=True)
BARRIER = StackEnd("MPI", "Barrier", is_collective=True)
RECV = StackEnd("MPI", "Recv", "from 1")
IDLE = (None, StackEnd(note="idle"))


def stand(*groups):
    """Answer a question for stacks; groups are (ranks, frames, end)."""

    def answer(asked):
        for ranks, frames, end in groups:
            who = RankSet.parse_folded(ranks) & asked.ranks
            if who:
                yield Said("px_stacks_reply", reply_of(frames, end), who)

    return answer


HANG = stand(("0-2", [MODULE, TOTAL], ALLREDUCE), ("3", [MODULE, FETCH], RECV))


def test_scene_3_a_hang_is_one_tree_with_letters_that_are_rank_sets(make_stage):
    """P4, P6: the odd rank stands out, and a branch becomes the focus."""
    stage = make_stage(name="hang-1", script="hang.py")
    stage.client.set_state("0-3", activity="busy", cell="run")
    stage.client.on("px_stacks_request", HANG)
    tree = stage.session.stacks()
    assert stage.shown() == (
        "<module>  hang.py:31   [0-3]\n"
        "├─ @a [0-2]  total  hang.py:12   in MPI Allreduce\n"
        "└─ @b [3]    fetch  hang.py:20   in MPI Recv from 1       ◀ differs\n"
    )
    assert str(tree.ranks) == "0-3"
    assert [str(stage.session.ranks(name)) for name in ("@a", "@b", "@odd")] == ["0-2", "3", "3"]
    stage.session.stacks(stage.session.ranks("@a"))
    assert stage.shown() == "<module>  hang.py:31   [0-2]\ntotal     hang.py:12   in MPI Allreduce\n"
    assert [(str(asked.ranks), asked.content) for asked in stage.client.asked_for("px_stacks_request")] == [
        ("0-3", {"full": False}),
        ("0-2", {"full": False}),
    ]


def test_who_does_not_answer_is_listed_with_the_reason(stage):
    """P3: partial answers."""

    def answer(asked):
        yield Said("px_stacks_reply", reply_of([MODULE], NO_END), "0")
        yield Said("px_missing", {"why": "it is not connected"}, "1")
        yield Said("px_stacks_reply", {"status": "error", "why": "no\x1b[2J ptrace"}, "2")

    stage.client.on("px_stacks_request", answer)
    stage.session.stacks(timeout=0.05, full=True)
    assert stage.shown() == (
        "<module>  hang.py:31   [0]\n"
        "[1]    no stack: it is not connected\n"
        "[2]    no stack: no ptrace\n"
        "[3]    no stack: no answer within 0.05 s\n"
    )


def test_replies_that_nodes_have_merged_are_read_as_single_ones(stage):
    replies = [(RankSet.of(rank), reply_of([MODULE], ALLREDUCE)) for rank in range(4)]
    stage.client.on("px_stacks_request", lambda asked: [Said("px_stacks_reply", merged_content(replies))])
    stage.session.stacks()
    assert stage.shown() == "<module>  hang.py:31   [0-3]  in MPI Allreduce\n"


def test_chosen_locals_are_shown_by_value(stage):
    """P4: equal values fold; a rank that has no such name is left out."""
    values = {
        "source": {"1": "3"},
        "step": {"41": "0-1", "42": "2-3"},
        "u.shape": {"<Shape\n at 0x7f>": "0-1", "<Shape at 0x8e>": "2-3"},
    }

    def peek(asked):
        assert asked.content["places"] == [["peek", str(asked.ranks)]]
        for text, ranks in values[asked.content["code"]].items():
            yield Said("execute_result", {"data": {"text/plain": text}, "metadata": {}}, ranks)
        yield Said("execute_reply", {"status": "ok"})

    stage.client.on("px_stacks_request", HANG)
    stage.client.on("execute_request", peek)
    stage.session.stacks(names=("source", "step", "u.shape"))
    assert stage.shown().splitlines()[2:5] == [
        "│      step = 41 [0-1], 42 [2]",
        "│      u.shape = <Shape at 0x…>",
        "└─ @b [3]    fetch  hang.py:20   in MPI Recv from 1       ◀ differs",
    ]
    values["absent"] = {}
    stage.session.stacks(names=("absent",))
    assert "absent: no rank that answered has it\n" in stage.shown()


def test_ranks_that_are_read_from_outside_are_not_asked_for_locals(stage):
    """P3: what nobody can answer is not waited for."""
    outside = StackEnd(note="stopped by a signal", is_outside=True)
    stage.client.on("px_stacks_request", stand(("0-3", [MODULE], outside)))
    stage.session.stacks(names=("step",))
    assert stage.client.asked_for("execute_request") == []


def test_samples_say_who_moves_and_who_does_not(stage):
    """Rank 3 moves; rank 2, read from outside, is where it was; of rank 1 only the line has changed."""
    looks = iter(range(1, 10))

    def answer(asked):
        look = next(looks)
        outside = StackEnd(note="stopped by a signal", is_outside=True)
        yield Said("px_stacks_reply", reply_of([TOTAL], StackEnd("MPI", "Allreduce", still=look - 1)), "0")
        yield Said("px_stacks_reply", reply_of([FETCH._replace(line=look)], StackEnd(is_outside=True)), "1")
        yield Said("px_stacks_reply", reply_of([FETCH], outside), "2")
        yield Said("px_stacks_reply", reply_of([TOTAL], StackEnd(still=look % 2)), "3")

    stage.client.on("px_stacks_request", answer)
    stage.session.stacks(every=0.001, count=3)
    shown = stage.shown(200)
    assert "in MPI Allreduce; not moved" in shown
    assert "stopped by a signal; not moved (read from outside)" in shown
    assert re.search(r"3 looks in \d+\.\d s: 0,2 have not moved; 1,3 have moved", shown)
    watches = {asked.content["watch"] for asked in stage.client.asked_for("px_stacks_request")}
    assert len(watches) == 1


def test_ctrl_c_ends_the_samples_and_shows_what_is_known(stage):
    asked_before = []

    def answer(asked):
        asked_before.append(asked)
        if len(asked_before) == 3:
            raise KeyboardInterrupt
        yield from stand(("0-3", [TOTAL], StackEnd(still=len(asked_before) - 1)))(asked)

    stage.client.on("px_stacks_request", answer)
    stage.session.stacks(every=0.001, count=10)
    assert re.search(r"2 looks in \d+\.\d s: 0-3 have not moved\n$", stage.shown())
    stage.client.on("px_stacks_request", lambda asked: iter(_interrupted, None))
    with pytest.raises(KeyboardInterrupt):
        stage.session.stacks(every=0.001, count=2)


def _interrupted():
    raise KeyboardInterrupt


# Idle ranks that a collective waits for.


def a_desk(**facts):
    client = ScriptedClient(4, **facts)
    return Desk(client, RecordingDisplay(), _config())


def _config(**settings):
    from pxshell.session import Config

    return Config(progress_after=-1, control_deadline=1.0, **settings)


def tree(*groups):
    return tree_of((RankSet.parse_folded(ranks), reply_of(frames, end)) for ranks, frames, end in groups)


def completing(desk, ranks="0-2", end=BARRIER):
    return completing_text(desk, tree((ranks, [MODULE], end)), RankSet.parse_folded("0-2"))


def test_a_collective_that_idle_ranks_have_not_come_to_is_said_with_the_command_that_completes_it():
    desk = a_desk()
    desk.focus.ranks = RankSet.parse_folded("0-2")
    request = desk.client.request("execute_request", {}, RankSet.parse_folded("0-2"))
    desk.client.set_state("0-2", activity="busy", cell=request.id)
    desk.remember(request, "comm.Barrier()\n")
    said = "0-2 wait in Barrier, which 3, idle outside the focus, is not in.  To complete it: %px -t 3 comm.Barrier()"
    assert completing(desk) == said
    # Code of many lines is not repeated.
    desk.remember(request, "for i in range(3):\n    comm.Barrier()")
    assert completing(desk).endswith("To complete it, make the same call there: %px -t 3 ...")


def test_what_a_rank_has_run_already_does_not_complete_it():
    desk = a_desk()
    request = desk.client.request("execute_request", {}, desk.client.ranks)
    desk.client.set_state("0-2", activity="busy", cell=request.id)
    desk.remember(request, "rank < 3 and comm.Barrier()")
    assert completing(desk) == (
        "0-2 wait in Barrier, which 3, idle, is not in.  To complete it, make the same call there: %px -t 3 ..."
    )


def test_nothing_is_said_of_collectives_that_idle_ranks_have_no_part_in():
    """P4: rather nothing than something wrong."""
    desk = a_desk()
    desk.client.set_state("0-2", activity="busy", cell="request-1")
    assert completing(desk, ranks="0-1") == "", "rank 2 is still on its way"
    assert completing(desk, end=RECV) == ""
    assert completing(desk, end=StackEnd("MPI", "Barrier", "on row", is_collective=True)) == ""
    two = tree(("0-1", [MODULE], BARRIER), ("2", [MODULE], ALLREDUCE))
    assert completing_text(desk, two, RankSet.parse_folded("0-2")) == ""
    desk.client.set_state("3", activity="busy")
    assert completing(desk) == ""


def test_the_tree_says_it_too(stage):
    stage.client.set_state("0-2", activity="busy", cell="x")
    stage.client.on("px_stacks_request", stand(("0-2", [MODULE], BARRIER), ("3", [], StackEnd(note="idle"))))
    stage.session.stacks()
    assert stage.shown().splitlines() == [
        "@a [0-2]  <module>  hang.py:31   in MPI Barrier",
        "@b [3]    idle                                            ◀ differs",
        "0-2 wait in Barrier, which 3, idle, is not in.  To complete it, make the same call there: %px -t 3 ...",
    ]


def test_while_a_cell_waits_the_line_says_what_would_complete_it_once():
    desk = a_desk()
    desk.config.progress_after = 0.0
    desk.focus.ranks = RankSet.parse_folded("0-2")
    request = desk.client.request("execute_request", {}, RankSet.parse_folded("0-2"))
    desk.client.set_state("0-2", activity="busy", cell=request.id)
    desk.remember(request, "comm.Barrier()")
    desk.client.on("px_stacks_request", stand(("0-2", [MODULE, TOTAL], BARRIER)))
    now = [0.0]
    waiting = Waiting(desk, request, clock=lambda: now[0])
    for _ in range(4):
        waiting.look()
        now[0] += 1.0
    assert [progress.where for progress in desk.display.progresses] == [
        "",
        *["at hang.py:12 in total, in MPI Barrier"] * 3,
    ]
    (notice,) = desk.display.events
    assert notice.text.endswith("To complete it: %px -t 3 comm.Barrier()  (Ctrl-C twice gives the prompt back)")


def test_where_ranks_stand_is_said_in_one_line():
    told = tree(("0-2", [MODULE, TOTAL], ALLREDUCE), ("3", [MODULE, FETCH], RECV))
    assert groups_text(told) == "0-2 in Allreduce, hang.py:12; 3 in Recv from 1, hang.py:20"
    library = Frame("/usr/lib/python3.11/ssl.py", 4, "read", is_user=False)
    assert groups_text(tree(("0", [MODULE, library], NO_END))) == "0 at hang.py:31"
    assert groups_text(tree(("0", [library], NO_END), ("1", [], StackEnd(note="idle")))) == "0 at ssl.py:4; 1 idle"
    many = tree(*((str(rank), [MODULE._replace(line=rank)], NO_END) for rank in range(6)))
    assert groups_text(many).endswith("; 2 more places")
    failed = tree_of([(RankSet.of(0), {"status": "error", "why": "it is gone"})])
    assert groups_text(failed) == "0 it is gone"


# The watchdog.


class Dog:
    """A watchdog with a clock of the test's; `still` says for each rank how often it was found where it was."""

    def __init__(self, limit=10.0):
        self.now = 0.0
        self.still = dict.fromkeys(range(4), 0)
        self.silent = RankSet()
        self.client = ScriptedClient(4)
        self.display = RecordingDisplay()
        self.desk = Desk(self.client, self.display, _config(watchdog=limit))
        self.client.set_state("0-3", activity="busy", cell="run")
        self.client.on("px_stacks_request", self._answer)
        self.dog = Watchdog(self.desk, clock=lambda: self.now)

    def _answer(self, asked):
        if not asked.content.get("brief"):
            yield from HANG(asked)
            return
        for rank in asked.ranks - self.silent:
            yield Said("px_stacks_reply", reply_of([], StackEnd(still=self.still[rank])), RankSet.of(rank))

    def look(self, seconds, *, moving=()):
        """Look once a second for so many seconds."""
        for _ in range(seconds):
            for rank in self.still:
                self.still[rank] = 0 if rank in moving else self.still[rank] + 1
            self.dog.look()
            self.now += 1.0

    def said(self):
        texts = [event.text for event in self.display.events]
        self.display.events.clear()
        return texts


SAID = "0-2 in Allreduce, hang.py:12; 3 in Recv from 1, hang.py:20.  See: %pxdebug stacks"


def test_the_watchdog_is_silent_while_the_user_is_asked_what_a_rank_asks():
    """They wait for an answer at the prompt of `input()` or ipdb."""
    dog = Dog()
    dog.look(2, moving=range(4))
    dog.desk.is_asking = True
    dog.look(30)
    assert dog.said() == []


def test_the_watchdog_speaks_once_when_no_rank_has_moved():
    dog = Dog()
    dog.look(2, moving=range(4))
    dog.look(10)
    assert dog.said() == []
    dog.look(30)
    (text,) = dog.said()
    assert text == f"no rank has moved for 10 s: {SAID}"


def test_one_rank_that_moves_keeps_it_silent_and_a_move_makes_it_speak_anew():
    dog = Dog()
    dog.look(30, moving=[1])
    assert dog.said() == []
    dog.look(15)
    assert len(dog.said()) == 1
    dog.look(1, moving=[1])
    dog.look(15)
    assert len(dog.said()) == 1


def test_a_rank_that_does_not_answer_has_not_moved_and_is_not_asked_again_and_again():
    """P7: a stopped rank's questions do not pile up."""
    dog = Dog()
    dog.silent = RankSet.of(3)
    dog.client.set_state("3", activity="busy", cell="run", liveness="unresponsive")
    dog.look(15)
    assert len(dog.said()) == 1
    asked = [one for one in dog.client.asked_for("px_stacks_request") if 3 in one.ranks and one.content.get("brief")]
    assert len(asked) == 1


def test_a_rank_that_moves_at_the_last_look_keeps_it_silent():
    """A loop around one call is at the same place at most looks."""
    dog = Dog()
    dog.look(10)
    dog.still[0] = -1
    dog.now += 5.0
    before = len(dog.client.asked_for("px_stacks_request"))
    dog.still[2] = 0
    answers = iter([5, 5, 0])

    def answer(asked):
        still = next(answers, 5)
        yield Said("px_stacks_reply", reply_of([], StackEnd(still=still)), asked.ranks)

    dog.client.on("px_stacks_request", answer)
    dog.dog.look()
    dog.dog.look()
    assert dog.said() == []
    assert len(dog.client.asked_for("px_stacks_request")) > before


@pytest.mark.parametrize("activity", ["paused", "held", "debugging"])
def test_it_asks_nothing_while_a_rank_stands_on_purpose(activity):
    dog = Dog()
    dog.client.set_state("2", activity=activity, cell="run")
    dog.look(15)
    assert dog.client.asked_for("px_stacks_request") == []


def test_it_asks_nothing_when_it_is_off_or_no_rank_is_busy():
    """P5: nobody looks, nothing is spent."""
    dog = Dog(limit=0.0)
    dog.look(15)
    assert dog.client.asked_for("px_stacks_request") == []
    dog.desk.config.watchdog = 1.0
    dog.client.set_state("0-3", activity="idle")
    dog.look(15)
    assert dog.client.asked_for("px_stacks_request") == []


def test_a_new_cell_begins_the_time_anew():
    dog = Dog()
    dog.look(8)
    dog.client.set_state("0-3", activity="busy", cell="request-9")
    dog.look(8)
    assert dog.said() == []


def test_it_names_the_busy_ranks_and_what_would_complete_their_collective():
    dog = Dog()
    dog.client.set_state("3", activity="idle")
    dog.look(15)
    stuck, hint = dog.said()
    assert stuck == "0-2 have not moved for 10 s: 0-2 in Allreduce, hang.py:12.  See: %pxdebug stacks"
    assert hint.startswith("0-2 wait in Allreduce, which 3, idle, is not in.")


def test_a_session_watches_in_a_thread_of_its_own_until_it_is_closed(make_stage):
    stage = make_stage()
    stage.session.config.watchdog = 0.001
    stage.client.set_state("0-3", activity="busy", cell="run")
    counts = {}

    def answer(asked):
        still = counts[asked.content.get("watch")] = counts.get(asked.content.get("watch"), -1) + 1
        if asked.content.get("brief"):
            return [Said("px_stacks_reply", reply_of([], StackEnd(still=still)))]
        return HANG(asked)

    stage.client.on("px_stacks_request", answer)
    stage.session.watch()
    stage.session.watch()
    wait_until(lambda: any("no rank has moved" in event.text for event in stage.display.events), 30, "it speaks")
    began = time.monotonic()
    stage.session.close()
    assert time.monotonic() - began < 30


def test_letters_are_those_of_the_last_tree_and_no_command_that_prints_none_takes_them(stage):
    stage.client.on("px_stacks_request", HANG)
    stage.session.stacks()
    stage.session.run_cell("pass")
    assert str(stage.session.ranks("@b")) == "3"
    assert isinstance(stage.display.events[0], Stacks)
    assert stage.display.events[0].letters == ("a", "b")
