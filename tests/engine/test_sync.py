"""Conditions of synchronised pauses, and the probe that finds where to set them."""

from __future__ import annotations

import fractions
import sys

import pytest

from pxshell.engine.sync import SyncCondition, probe
from pxshell.errors import UsageError

counter = 0


def here():
    return sys._getframe(1)


def test_a_loop_variable_is_found_in_the_function_that_counts_it():
    """Sync pause: wherever the ranks are in the step, they name the same function."""
    found = []

    def helper(step):
        found.append(probe("step", here()))
        return step

    def main():
        for step in range(3, 5):
            helper(step)

    main()
    assert [p.value for p in found] == [3, 4]
    assert {p.place.function for p in found} == {main.__qualname__}
    assert [c.place.function for c in found[0].candidates] == [main.__qualname__, helper.__qualname__]


def test_a_global_counter_is_found_in_the_function_that_assigns_it():
    """Sync pause: `global step` counts as well."""
    found = []

    def look():
        found.append(probe("counter", here()))

    def advance():
        global counter  # noqa: PLW0603 - what is under test
        counter += 1
        look()

    advance()
    assert found[0].place.function == advance.__qualname__
    assert found[0].value == counter


def test_attributes_and_arithmetic_count():
    """Sync pause: `sim.step + 1` is an expression like another."""

    class Sim:
        step = 4

        def advance(self):
            self.step += 1
            return probe("self.step * 2", here())

    found = Sim().advance()
    assert (found.value, found.place.function) == (10, Sim.advance.__qualname__)


@pytest.mark.parametrize(
    ("value", "word"), [([1], "list"), ("a", "str"), (True, "bool"), (None, "NoneType"), (1j, "complex")]
)
def test_what_cannot_be_a_step_is_refused_with_its_type(value, word):
    """P10: what, why, what to do."""
    step = value
    found = probe("step", here())
    assert found.candidates == ()
    assert found.value is None
    assert found.place is None
    assert f"is of type {word}" in found.error
    assert step is value


def test_numbers_of_all_kinds_are_steps():
    """An int or a growing float, numpy's scalars included (they are Real)."""
    a, b, c = 1, 2.5, fractions.Fraction(1, 2)
    assert [probe(name, here()).value for name in "abc"] == [1, 2.5, 0.5]
    assert a + b + c == 4


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("nowhere", "has no value yet"),
        ("x := 1", "single expression"),
        ("1 + 1", "never changes"),
        ("[i for i in x]", "no lambda or comprehension"),
        ("x.y.z", "AttributeError"),
    ],
)
def test_a_probe_says_why_it_has_no_value(expression, message):
    """P10: one line."""
    x = 1
    assert message in probe(expression, here()).error
    assert x


def test_a_condition_is_checked_when_it_is_made():
    """P10: nothing is armed for an expression that cannot be evaluated."""
    with pytest.raises(UsageError):
        SyncCondition("x = 1", 1, "a.py", "main")


def test_a_condition_has_a_value_in_its_function_only():
    """The condition is about one function of one file."""
    condition = SyncCondition("step", 5, __file__, "nobody")
    step = 7
    assert condition.value_on(here()) is None
    assert condition.value_in(sys._getframe()) == step
    mine = SyncCondition("step", 5, __file__, sys._getframe().f_code.co_qualname)
    assert mine.value_on(sys._getframe()) == 7
    assert mine.is_reached(7)
    assert not mine.is_reached(4)
    assert not mine.is_reached(None)
    assert SyncCondition("later", 5, __file__, "x").value_in(sys._getframe()) is None


def test_without_a_function_every_one_that_assigns_the_name_is_meant():
    """Sync pause from the start: nobody knows yet where the steps are counted."""
    condition = SyncCondition("step", None)

    def counts():
        step = 0
        return sys._getframe(), step

    def reads():
        return step  # noqa: F821 - never called

    frame, _ = counts()
    assert condition.is_about(frame.f_code)
    assert not condition.is_about(reads.__code__)
    assert condition.is_reached(condition.value_in(frame))
    assert not condition.is_reached(None)


def test_a_name_that_the_program_does_not_mention_is_hopeless(monkeypatch):
    """P10: said at once, with a hint; no frame knows the name."""
    from pxshell.engine import mentions

    monkeypatch.setattr(mentions, "unknown_name", lambda names, frame: mentions.Unknown(names[0], "step"))
    found = probe("stpe", here())
    assert (found.is_hopeless, found.value) == (True, None)
    assert found.error == "no code of the program mentions stpe (did you mean step?)"
