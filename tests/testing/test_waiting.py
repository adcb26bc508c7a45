"""Tests of pxshell.testing.waiting."""

import pytest

from pxshell.testing.waiting import wait_until


def test_wait_until_returns_the_first_true_answer():
    answers = iter([0, "", None, "ready"])
    assert wait_until(lambda: next(answers), 30, "an answer is there") == "ready"


def test_wait_until_asks_at_least_once_without_any_time():
    assert wait_until(lambda: True, 0, "true is true")


def test_wait_until_says_what_it_waited_for_and_the_last_answer():
    with pytest.raises(TimeoutError, match=r"waited 0.01 s in vain until rank 3 is paused \(last answer: \[\]\)"):
        wait_until(list, 0.01, "rank 3 is paused")


def test_wait_until_asks_for_the_description_only_when_it_fails():
    def describe():
        descriptions.append("no rank is paused")
        return descriptions[-1]

    descriptions = []
    assert wait_until(lambda: 1, 1, describe) == 1
    assert descriptions == []
    with pytest.raises(TimeoutError, match="until no rank is paused"):
        wait_until(lambda: 0, 0, describe)


def test_wait_until_lets_exceptions_of_the_condition_pass():
    with pytest.raises(ZeroDivisionError):
        wait_until(lambda: 1 / 0, 30, "a division works")
