"""Tests of pxshell.session.sync: values and stops in, requests out."""

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pxshell.ranks import RankSet
from pxshell.session.sync import (
    NO_TARGET,
    SILENT,
    Arm,
    Cancel,
    IllegalEventError,
    Phase,
    Probe,
    Probed,
    Stop,
    SyncPause,
)

ALL = RankSet.span(0, 4)
PLACE = {"file": "sim.py", "function": "main"}


def ranks(text):
    return RankSet.parse_folded(text)


@pytest.fixture
def machine():
    numbers = itertools.count(1)
    return SyncPause(ALL, lambda: f"p{next(numbers)}")


def test_all_ranks_are_asked_first(machine):
    assert machine.begin() == Probe(ALL)


def test_the_target_lies_two_steps_ahead_of_the_highest_value(machine):
    command = machine.probed([Probed(ranks("0-2"), 611, **PLACE), Probed(ranks("3"), 610, **PLACE)])
    assert command == Arm(ALL, "p1", 613, "sim.py", "main")
    assert machine.phase is Phase.ARMING


def test_ranks_that_have_not_reached_the_loop_are_asked_again(machine):
    why = "NameError: name 'step' is not defined"
    assert machine.probed([Probed(ranks("0-2"), 3, **PLACE), Probed(ranks("3"), why=why)]) is None
    assert machine.phase is Phase.PROBING
    assert machine.missing == [(ranks("3"), why)]
    assert machine.begin() == Probe(ALL)


def test_ranks_that_do_not_answer_are_asked_again(machine):
    assert machine.probed([Probed(ranks("0-2"), 3, **PLACE)]) is None
    assert machine.missing == [(ranks("3"), "it does not answer")]


@pytest.mark.parametrize("value", ["abc", True, math.nan, math.inf, [1]])
def test_what_is_no_growing_number_is_refused(machine, value):
    assert machine.probed([Probed(ALL, value, **PLACE)]) is None
    assert machine.phase is Phase.FAILED
    assert "no number that grows" in machine.missing[0][1]


def test_all_at_one_place_and_value_is_the_end(machine):
    machine.probed([Probed(ALL, 1, **PLACE)])
    assert machine.armed([(ALL, "pending", "")]) is None
    stop = Stop("sim.py", 87, "main", 3)
    assert machine.stopped("p1", [(ranks("0-2"), stop)]) is None
    assert machine.missing == [(ranks("3"), "it has not reached the step")]
    assert machine.stopped("p1", [(ALL, stop)]) is None
    assert (machine.phase, machine.stop) == (Phase.DONE, stop)


def test_ranks_at_one_place_that_are_told_apart_all_count(machine):
    """The rank of an editor stands where the paused ones do, in a state of its own."""
    machine.probed([Probed(ALL, 1, **PLACE)])
    machine.armed([(ALL, "pending", "")])
    stop = Stop("sim.py", 87, "main", 3)
    assert machine.stopped("p1", [(ranks("0-1,3"), stop), (ranks("2"), stop)]) is None
    assert (machine.phase, machine.stop) == (Phase.DONE, stop)


def test_stops_may_be_known_before_all_ranks_are_armed(machine):
    machine.probed([Probed(ALL, 1, **PLACE)])
    machine.stopped("p1", [(ALL, Stop("sim.py", 87, "main", 3))])
    machine.armed([(ALL, "pending", "")])
    assert machine.phase is Phase.DONE


def test_a_rank_that_had_passed_the_target_doubles_the_margin(machine):
    machine.probed([Probed(ALL, 10, **PLACE)])
    assert machine.armed([(ranks("0-2"), "pending", ""), (ranks("3"), "passed", "")]) == Cancel(ALL, "p1")
    assert machine.cancelled() == Probe(ALL)
    assert machine.probed([Probed(ALL, 20, **PLACE)]) == Arm(ALL, "p2", 24, "sim.py", "main")
    machine.armed([(ALL, "passed", "")])
    machine.cancelled()
    assert machine.probed([Probed(ALL, 30, **PLACE)]).target == 38


def test_ranks_at_different_steps_are_stopped_again(machine):
    machine.probed([Probed(ALL, 1, **PLACE)])
    machine.armed([(ALL, "pending", "")])
    stops = [(ranks("0-2"), Stop("sim.py", 87, "main", 3)), (ranks("3"), Stop("sim.py", 87, "main", 4))]
    assert machine.stopped("p1", stops) == Cancel(ALL, "p1")


def test_the_stop_of_an_older_pause_is_old_news(machine):
    machine.probed([Probed(ALL, 1, **PLACE)])
    machine.armed([(ALL, "passed", "")])
    machine.cancelled()
    machine.probed([Probed(ALL, 5, **PLACE)])
    machine.armed([(ALL, "pending", "")])
    assert machine.stopped("p1", [(ALL, Stop("sim.py", 87, "main", 3))]) is None
    assert machine.phase is Phase.STOPPING


def test_a_float_is_looked_at_twice_and_stops_as_far_ahead_as_it_grew(machine):
    assert machine.probed([Probed(ALL, 1.0, **PLACE)]) is None
    assert machine.phase is Phase.PROBING
    assert machine.probed([Probed(ALL, 1.5, **PLACE)]).target == 2.5


def test_a_float_that_stands_still_stops_at_its_next_value(machine):
    machine.probed([Probed(ALL, 1.0, **PLACE)])
    assert machine.probed([Probed(ALL, 1.0, **PLACE)]).target == math.nextafter(1.0, 2)


def test_ranks_are_armed_where_most_of_them_have_the_value(machine):
    odd = Probed(ranks("3"), 5, file="other.py", function="work")
    command = machine.probed([odd, Probed(ranks("0-2"), 5, **PLACE)])
    assert (command.file, command.function) == ("sim.py", "main")


def test_ranks_are_armed_at_the_best_place_that_all_of_them_have(machine):
    """One rank is in a helper that has a variable of the same name."""
    helper = Probed(ranks("3"), 99, file="sim.py", function="halo", others=(("sim.py", "main", 5),))
    command = machine.probed([helper, Probed(ranks("0-2"), 6, **PLACE)])
    assert (command.file, command.function, command.target) == ("sim.py", "main", 8)


def test_a_refusal_ends_it_and_lets_the_armed_ones_go_on(machine):
    """P5: what was armed for nothing is taken back."""
    machine.probed([Probed(ALL, 1, **PLACE)])
    answers = [(ranks("0-2"), "pending", ""), (ranks("3"), "refused", "the debugger has it")]
    assert machine.armed(answers) == Cancel(ALL, "p1")
    assert machine.phase is Phase.FAILED
    assert machine.missing == [(ranks("3"), "the debugger has it")]


def test_giving_up_before_anything_is_armed_needs_no_request(machine):
    assert machine.fail() is None


def test_an_event_out_of_turn_raises_and_changes_nothing(machine):
    with pytest.raises(IllegalEventError):
        machine.armed([])
    assert machine.phase is Phase.PROBING


@given(st.lists(st.integers(0, 1000), min_size=4, max_size=4), st.lists(st.integers(0, 40), max_size=6))
def test_every_target_lies_ahead_of_every_value(values, lags):
    """However fast the ranks are, some attempt reaches them: the margin doubles each time."""
    machine = SyncPause(ALL, lambda: "p")
    highest = max(values)
    for lag in lags:
        command = machine.probed([Probed(RankSet.of(rank), value, **PLACE) for rank, value in enumerate(values)])
        assert command.target >= highest + 2
        if command.target > highest + lag:
            machine.armed([(ALL, "pending", "")])
            assert machine.phase is Phase.STOPPING
            return
        machine.armed([(ALL, "passed", "")])
        machine.cancelled()


def test_a_rank_that_waits_for_one_that_stands_makes_it_aim_further_ahead(machine):
    """P5: a target that is reached before all are armed holds nobody; the next one is further away."""
    machine.begin()
    first = machine.probed([Probed(ALL, 10, "sim.py", 5, "main")])
    assert machine.armed([(ranks("0"), "pending", "")], is_late=True) == Cancel(ALL, first.pause)
    machine.cancelled()
    second = machine.probed([Probed(ALL, 10, "sim.py", 5, "main")])
    assert second.target - 10 > first.target - 10


def test_ranks_that_take_no_notice_are_waited_for(machine):
    """They are in C, asleep perhaps: the pause is asked for anew, and no further ahead."""
    machine.begin()
    first = machine.probed([Probed(ALL, 10, **PLACE)])
    assert machine.armed([(ranks("0-2"), "pending", "")]) == Cancel(ALL, first.pause)
    assert machine.missing == [(ranks("3"), SILENT)]
    machine.cancelled()
    second = machine.probed([Probed(ALL, 10, **PLACE)])
    assert (second.target, second.pause) == (first.target, "p2")
    machine.armed([(ALL, "pending", "")])
    assert machine.phase is Phase.STOPPING


def test_between_two_attempts_the_last_one_tells_who_is_missing(machine):
    """P3: a deadline that falls there has a reason as well."""
    assert machine.reasons == [(ALL, NO_TARGET)]
    machine.probed([Probed(ALL, 10, **PLACE)])
    machine.armed([(ranks("0-2"), "pending", "")])
    machine.cancelled()
    machine.probed([Probed(ALL, 11, **PLACE)])
    assert machine.missing == []
    assert machine.reasons == [(ranks("3"), SILENT)]


def test_a_program_that_has_not_begun_is_armed_for_its_first_value(machine):
    assert machine.begin_at_start() == Arm(ALL, "p1", None, "", "")
    assert machine.armed([(ALL, "pending", "")]) is None
    assert machine.awaits_first
    assert machine.looked([Probed(ALL, why="no value yet")]) is None
    assert machine.missing == [(ALL, "no value yet")]
    machine.stopped("p1", [(ALL, Stop("sim.py", 3, "main", 0))])
    assert machine.phase is Phase.DONE


@pytest.mark.parametrize("standing", [[], [(ranks("0"), Stop("sim.py", 3, "setup", 0))]])
def test_ranks_that_never_come_to_a_first_value_are_asked_for_their_values(machine, standing):
    """Only rank 0 counts while it reads its input, and the others wait for it in C; or no line of theirs assigns it."""
    machine.begin_at_start()
    machine.armed([(ALL, "pending", "")])
    machine.stopped("p1", standing)
    answers = [Probed(ranks("0-3"), 0, **PLACE)]
    commands = [machine.looked(answers) for _ in range(10)]
    assert commands == [None] * 9 + [Cancel(ALL, "p1")]
    assert machine.cancelled() == Probe(ALL)
    assert machine.probed(answers).target == 2


@pytest.mark.parametrize("phase", ["probing", "first"])
def test_a_name_that_no_code_mentions_ends_it_at_once(machine, phase):
    """P10: nobody waits for what cannot come."""
    hopeless = [Probed(ALL, why="no code mentions stpe", is_hopeless=True)]
    if phase == "first":
        machine.begin_at_start()
        machine.armed([(ALL, "pending", "")])
        assert machine.looked(hopeless) == Cancel(ALL, "p1")
    else:
        assert machine.probed(hopeless) is None
    assert machine.phase is Phase.FAILED
    assert machine.missing == [(ALL, "no code mentions stpe")]
