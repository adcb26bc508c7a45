"""Steps of a paused program: where they end, and what they do when they do not end."""

from __future__ import annotations

import asyncio
import sys
import threading

from engine.pause_harness import REACHED, no_user_code

from pxshell.engine.pause_states import Cancelled, Held, Idle, Paused, Running, Stale
from pxshell.engine.step_rules import StepKind
from pxshell.testing.waiting import wait_until

STEP, NEXT, FINISH, UNTIL = StepKind.STEP, StepKind.NEXT, StepKind.FINISH, StepKind.UNTIL


@no_user_code
def stop_here(rank):
    """A breakpoint in the caller; the user may begin."""
    REACHED.set()
    rank.pauser.breakpoint_here(sys._getframe(1), "b0")


class User:
    """Steps a program, and notes where it stops, as lines counted from its function's first."""

    def __init__(self, rank, program):
        self.rank = rank
        self.code = program.__code__
        self.at = "b0"
        self.stops = []

    @no_user_code
    def go(self, kind, line=0, event=Paused):
        """Step; returns the event with which it ends."""
        new = f"s{len(self.stops) + 1}"
        line = line and line + self.code.co_firstlineno
        self.rank.pauser.step(new, self.at, kind, line)
        self.rank._wake.set()
        told = self.rank.next_event(event)
        if isinstance(told, Paused):
            self.at = new
            self.stops.append((told.place.function.rpartition(".")[2], told.place.line - self.code.co_firstlineno))
        return told


def stepped(rank, program, *steps):
    """Run a program that stops at its first line; returns its result and where each step stopped."""
    user = User(rank, program)

    @no_user_code
    def act():
        rank.next_event(Paused)
        for kind, *line in steps:
            user.go(kind, *line)
        rank.pauser.resume()

    result = rank.run(lambda: program(rank), act)
    assert sys.gettrace() is None
    return result, user.stops


# Where they end.


def calls(rank):
    stop_here(rank)
    a = square(3)
    b = square(a)
    return a + b


def square(x):
    y = x * x
    return y


def offset(function, line):
    """Lines of another function, counted as those of `calls`."""
    return function.__code__.co_firstlineno + line - calls.__code__.co_firstlineno


def test_next_stays_in_the_function_and_step_goes_into_calls(rank):
    """P5: as in every debugger, and the result is the same."""
    result, stops = stepped(rank, calls, (NEXT,), (STEP,), (NEXT,), (NEXT,), (NEXT,))
    assert result == 90
    assert stops == [
        ("calls", 2),
        ("square", offset(square, 1)),
        ("square", offset(square, 2)),
        ("calls", 3),
        ("calls", 4),
    ]


def test_finish_ends_in_the_caller_at_its_next_line(rank):
    result, stops = stepped(rank, calls, (NEXT,), (STEP,), (FINISH,), (STEP,), (FINISH,))
    assert result == 90
    assert stops == [
        ("calls", 2),
        ("square", offset(square, 1)),
        ("calls", 3),
        ("square", offset(square, 1)),
        ("calls", 4),
    ]


def loops(rank):
    stop_here(rank)
    total = 0
    for i in range(100):
        total += i
    total += 1
    return total


def test_until_leaves_a_loop_behind(rank):
    """`until` is the line after this one or a later one; `until LINE` that line or a later one."""
    result, stops = stepped(rank, loops, *[(NEXT,)] * 5, (UNTIL,), (UNTIL,))
    assert (result, stops) == (4951, [("loops", n) for n in (2, 3, 4, 3, 4, 5, 6)])
    result, stops = stepped(rank, loops, (UNTIL, 5))
    assert (result, stops) == (4951, [("loops", 5)])


def catches(rank):
    stop_here(rank)
    try:
        fails(1)
    except ZeroDivisionError:
        caught = True
    return caught


def fails(x):
    x = 1 / (x - 1)
    return x


def test_an_exception_leads_a_step_to_who_catches_it(rank):
    result, stops = stepped(rank, catches, (UNTIL, 3), (STEP,), (NEXT,), (NEXT,))
    assert result is True
    assert stops == [("catches", 3), ("fails", offset_of(catches, fails, 1)), ("catches", 4), ("catches", 5)]


def offset_of(base, function, line):
    return function.__code__.co_firstlineno + line - base.__code__.co_firstlineno


def recurses(rank, n=3):
    if n == 2:
        stop_here(rank)
        n = n + 0
    if n == 0:
        return 0
    return n + recurses(rank, n - 1)


def test_next_over_a_recursion_stops_in_the_same_call(rank):
    """Frames are told apart, not functions."""
    levels = []
    user = User(rank, recurses)

    @no_user_code
    def act():
        rank.next_event(Paused)
        for _ in range(3):
            user.go(NEXT)
            levels.append(rank.do(lambda paused: paused.frame.f_locals["n"]))
        user.go(FINISH)
        rank.pauser.resume()

    # The last one stops in what called it: the lambda's caller is not user code, so the program ends.
    assert rank.run(lambda: recurses_outside(rank), act) == 6
    assert levels == [2, 2, 2]
    assert user.stops[-1][0] == "recurses_outside"


def recurses_outside(rank):
    result = recurses(rank)
    return result


def generates(rank):
    def numbers():
        stop_here(rank)
        yield 1
        got = 2
        yield got

    total = 0
    for number in numbers():
        total += number
    return total


def test_next_over_a_yield_stays_in_the_generator(rank):
    """As in pdb: what a generator does next is what comes next."""
    result, stops = stepped(rank, generates, (NEXT,), (NEXT,), (NEXT,), (NEXT,))
    assert result == 3
    assert stops == [("numbers", 3), ("numbers", 4), ("numbers", 5), ("generates", 10)]


def test_finish_leads_out_of_a_generator(rank):
    result, stops = stepped(rank, generates, (FINISH,))
    assert (result, stops) == (3, [("generates", 10)])


def awaits(rank):
    async def slow(x):
        stop_here(rank)
        await asyncio.sleep(0)
        x += 1
        return x

    async def others():
        for _ in range(20):
            await asyncio.sleep(0)

    async def main():
        task = asyncio.create_task(others())
        result = await slow(1)
        await task
        return result

    return asyncio.run(main())


def test_next_over_an_await_stays_in_the_coroutine(rank):
    """Other tasks run meanwhile, and are not stopped."""
    result, stops = stepped(rank, awaits, (NEXT,), (NEXT,), (NEXT,), (NEXT,))
    assert result == 2
    assert stops == [("slow", 3), ("slow", 4), ("slow", 5), ("main", 14)]


def sorts(rank):
    stop_here(rank)

    def key(x):
        x = -x
        return x

    data = sorted([1, 2, 3], key=key)
    return data


def test_step_goes_into_callbacks_of_c_code(rank):
    """The frame that called it lies below C."""
    result, stops = stepped(rank, sorts, (NEXT,), (NEXT,), (STEP,), (FINISH,))
    assert result == [3, 2, 1]
    assert [function for function, _ in stops] == ["sorts", "sorts", "key", "sorts"]
    assert stops[-1] == ("sorts", 8)


def test_steps_begin_in_the_selected_frame(rank):
    """After `up`, `next` goes on to the next line there."""
    user = User(rank, calls)

    @no_user_code
    def act():
        rank.next_event(Paused)
        user.go(NEXT)
        user.go(STEP)
        rank.do(lambda paused: paused.stack.up())
        user.go(NEXT)
        rank.pauser.resume()

    assert rank.run(lambda: calls(rank), act) == 90
    assert user.stops[-1] == ("calls", 3)


# When they do not end.


def test_a_program_that_ends_before_the_step_is_said(rank):
    """P3: a step is answered whatever happens."""
    user = User(rank, calls)

    @no_user_code
    def act():
        rank.next_event(Paused)
        user.go(UNTIL, 4)
        assert isinstance(user.go(FINISH, event=Idle), Idle)

    assert rank.run(no_user_code(lambda: calls(rank)), act) == 90
    assert sys.gettrace() is None


def waits(rank, event):
    stop_here(rank)
    event.wait(30)
    return 1


def test_a_step_over_a_call_that_waits_is_held_and_stops_when_it_comes_back(rank):
    """P3: named with its place; it is not interrupted, for what waits for a peer must go on waiting."""
    user = User(rank, waits)
    event = threading.Event()

    @no_user_code
    def act():
        rank.next_event(Paused)
        user.go(NEXT)
        held = user.go(NEXT, event=Held)
        assert held.place.line - waits.__code__.co_firstlineno == 2
        event.set()
        paused = rank.next_event(Paused)
        assert (paused.pause_id, paused.reason) == ("s2", "step")
        rank.pauser.resume()

    assert rank.run(lambda: waits(rank, event), act) == 1


def test_resume_takes_back_a_step_that_waits(rank):
    """The resume of all resumes those too that have not come to the end of a step."""
    user = User(rank, waits)
    event = threading.Event()

    @no_user_code
    def act():
        rank.next_event(Paused)
        user.go(NEXT)
        user.go(NEXT, event=Held)
        assert rank.pauser.resume() == "cancelled"
        rank.next_event(Cancelled)
        event.set()

    assert rank.run(lambda: waits(rank, event), act) == 1
    assert not any(isinstance(one, Paused) and one.pause_id == "s2" for one in rank.told)


def spins(rank, event):
    stop_here(rank)
    while not event.is_set():
        pass
    return 1


def test_a_step_that_takes_long_is_told_and_stops_in_the_end(rank):
    """It is not held: it moves."""
    user = User(rank, calls_spins)
    event = threading.Event()

    @no_user_code
    def act():
        rank.next_event(Paused)
        assert isinstance(user.go(FINISH, event=Running), Running)
        event.set()
        assert rank.next_event(Paused).place.function == "calls_spins"
        rank.pauser.resume()

    assert rank.run(lambda: calls_spins(rank, event), act) == 1


def calls_spins(rank, event):
    result = spins(rank, event)
    return result


def test_a_step_from_a_pause_that_has_gone_is_stale(rank):
    """P10: an old id moves nothing."""
    user = User(rank, calls)

    @no_user_code
    def act():
        rank.next_event(Paused)
        user.go(NEXT)
        user.at = "b0"
        assert user.go(NEXT, event=Stale).pause_id == "s2"
        assert rank.pauser.paused.place.line - calls.__code__.co_firstlineno == 2
        rank.pauser.resume()
        wait_until(lambda: rank.pauser.state.value in ("running", "idle"), 30, "it runs")
        user.at = "s1"
        assert isinstance(user.go(NEXT, event=Stale), Stale)

    assert rank.run(lambda: calls(rank), act) == 90
