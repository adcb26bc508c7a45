"""The table of a rank's states is complete, and what it forbids changes nothing."""

import importlib.util
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pxshell.protocol.state import (
    TRANSITIONS,
    Activity,
    ActivityEvent,
    IllegalTransitionError,
    Liveness,
    RankState,
    StateTable,
    transition,
)
from pxshell.ranks import RankSet

DOCS = Path(__file__).parents[2] / "docs"
PAIRS = [(activity, event) for activity in Activity for event in ActivityEvent]
OK = [Liveness.OK, Liveness.UNRESPONSIVE]

states = st.builds(
    RankState,
    activity=st.sampled_from(Activity),
    liveness=st.sampled_from(Liveness),
    cell=st.sampled_from(["", "run", "c1"]),
    pause=st.sampled_from(["", "p1"]),
    line=st.integers(0, 3),
    value=st.none() | st.integers(0, 9) | st.just(0.5),
    exit=st.none() | st.integers(-9, 9),
    counter=st.integers(0, 5),
)


@pytest.mark.parametrize(("activity", "event"), PAIRS)
def test_each_event_has_its_row_or_is_refused(activity, event):
    """P10: the refusal says what cannot be, and nothing changes."""
    before = dict(TRANSITIONS)
    if (activity, event) in TRANSITIONS:
        assert transition(activity, event) is TRANSITIONS[activity, event]
    else:
        with pytest.raises(IllegalTransitionError, match=f"a rank that is {activity} cannot {event}") as caught:
            transition(activity, event)
        assert (caught.value.activity, caught.value.event) == (activity, event)
    assert before == TRANSITIONS


def test_every_activity_is_reached_and_every_event_does_something():
    """P3: and from everywhere the end can be reached."""
    reached, steps = {Activity.STARTING}, 0
    while steps != len(reached):
        steps = len(reached)
        reached |= {after for (before, _), after in TRANSITIONS.items() if before in reached}
    assert reached == set(Activity)
    assert {event for _, event in TRANSITIONS} == set(ActivityEvent)
    assert all((activity, ActivityEvent.EXIT) in TRANSITIONS for activity in set(Activity) - {Activity.ENDED})
    assert not [event for before, event in TRANSITIONS if before is Activity.ENDED]


def test_what_stands_can_go_on():
    """P5: no activity but the end is one that a rank cannot leave by itself or by the user."""
    assert transition(Activity.PAUSED, ActivityEvent.RESUME) is Activity.BUSY
    assert transition(Activity.HELD, ActivityEvent.RESUME) is Activity.BUSY
    assert transition(Activity.FAILED, ActivityEvent.RESUME) is Activity.BUSY
    assert transition(Activity.DEBUGGING, ActivityEvent.RESUME) is Activity.BUSY


def test_the_documented_diagram_is_that_of_the_table():
    spec = importlib.util.spec_from_file_location("docs_states", DOCS / "states.py")
    writer = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(writer)
    assert (DOCS / "states.md").read_text(encoding="utf-8") == writer.document(), "run: python docs/states.py"


@given(states)
def test_a_state_survives_the_way(state):
    content = state.to_content()
    assert RankState.from_content(content) == state
    assert RankState.from_content(content).counter == state.counter
    assert all(type(value) in {str, int, float, type(None)} for value in content.values())


def test_a_content_from_the_future_is_read_as_far_as_it_is_known():
    """P8: and one of the past has defaults."""
    assert RankState.from_content({"activity": "busy", "mood": "good"}) == RankState(Activity.BUSY)
    assert RankState.from_content({}) == RankState()


@pytest.mark.parametrize("content", [{"activity": "asleep"}, {"liveness": "undead"}, {"activity": []}])
def test_a_state_that_does_not_exist_is_refused(content):
    """P10."""
    with pytest.raises(ValueError):
        RankState.from_content(content)


@given(states)
def test_who_may_still_answer_is_alive(state):
    """P3."""
    assert state.is_alive == (state.liveness in OK and state.activity is not Activity.ENDED)


def test_the_counter_makes_no_group():
    """P4: it differs from rank to rank without meaning."""
    table = StateTable().updated(RankSet.of(0), RankState(counter=1)).updated(RankSet.of(1), RankState(counter=2))
    assert table.groups() == [(RankSet.of(0, 1), RankState())]


@given(st.lists(st.tuples(st.sets(st.integers(0, 6)), states), max_size=10))
def test_the_table_knows_the_last_state_of_each_rank(changes):
    """P3, P4: every rank is in exactly one group, groups are ordered by first rank."""
    table, known = StateTable(), {}
    for ranks, state in changes:
        before, groups = table, table.groups()
        table = table.updated(RankSet(ranks), state)
        assert before.groups() == groups, "a table is a value"
        known.update(dict.fromkeys(ranks, state))
    assert {rank: table.of(rank) for rank in range(8)} == {rank: known.get(rank) for rank in range(8)}
    assert table.ranks == RankSet(known) and len(table) == len(known)
    assert sorted(rank for ranks, _ in table.groups() for rank in ranks) == sorted(known)
    firsts = [ranks.first for ranks, _ in table.groups()]
    assert firsts == sorted(firsts)
    assert table.alive() == RankSet(rank for rank, state in known.items() if state.is_alive)
    some = RankSet.of(1, 3, 5)
    assert {rank: state for ranks, state in table.among(some) for rank in ranks} == {
        rank: state for rank, state in known.items() if rank in some
    }
    again = StateTable({state: ranks for ranks, state in reversed(table.groups())})
    assert again == table and hash(again) == hash(table)
    assert table != "a table" and table != StateTable({RankState(why="other"): RankSet.of(9)})


def test_states_are_names_of_rank_sets():
    """P10: as in `%pxfocus @paused`; the activity of a dead rank is no longer one, but its end."""
    table = (
        StateTable()
        .updated(RankSet.of(0), RankState(Activity.BUSY))
        .updated(RankSet.of(1), RankState(Activity.BUSY, Liveness.UNRESPONSIVE))
        .updated(RankSet.of(2), RankState(Activity.BUSY, Liveness.DEAD))
        .updated(RankSet.of(3), RankState(Activity.ENDED, Liveness.DEAD))
    )
    asked = {
        name: str(table.where(name)) for name in ("busy", "dead", "ok", "unresponsive", "ended", "idle", "nonsense")
    }
    assert asked == {
        "busy": "0-1",
        "dead": "2-3",
        "ok": "0",
        "unresponsive": "1",
        "ended": "3",
        "idle": "",
        "nonsense": "",
    }
    assert table.where(Activity.BUSY) == RankSet.of(0, 1) and table.where(Liveness.DEAD) == RankSet.of(2, 3)


def test_a_change_of_no_rank_is_no_change():
    """P8: a message about ranks that are not here any more makes no empty group."""
    table = StateTable().updated(RankSet.of(0), RankState())
    assert table.updated(RankSet(), RankState(Activity.BUSY)) is table
    assert StateTable({RankState(): RankSet()}).groups() == []


@given(states)
def test_a_rank_is_stopped_when_a_pause_holds_it(state):
    """An editor's stop is one, too; an editor that lets it run is none."""
    held = state.activity in {Activity.PAUSED, Activity.HELD, Activity.DEBUGGING}
    assert state.is_stopped == (held and state.pause == "p1")


@pytest.mark.parametrize(
    ("state", "word"),
    [
        (RankState(Activity.BUSY, cell="run"), "running"),
        (RankState(Activity.BUSY, cell="c1"), "busy"),
        (RankState(Activity.BUSY, Liveness.UNRESPONSIVE, cell="run"), "unresponsive"),
        (RankState(Activity.PAUSED, cell="run"), "paused"),
        (RankState(Activity.ENDED, Liveness.DEAD), "ended"),
    ],
)
def test_the_word_of_a_state_is_what_people_call_it(state, word):
    """A script runs, other cells are busy; who does not answer is known by that, and an end is an end."""
    assert state.word == word
