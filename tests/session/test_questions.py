"""Tests of the order in which questions of ranks are asked."""

from pxshell.protocol.message import Message
from pxshell.ranks import RankSet
from pxshell.session.questions import Questions


def question(rank):
    return Message.make("input_request", f"q{rank}", b"", ranks=RankSet.of(rank))


def asked(questions):
    return [message.ranks.first for message in iter(questions.take, None)]


def questions_of(*ranks):
    questions = Questions()
    for rank in ranks:
        questions.add(question(rank))
    return questions


def test_questions_are_taken_by_rank():
    assert asked(questions_of(2, 0, 1)) == [0, 1, 2]


def test_a_rank_that_asks_again_comes_after_those_that_wait_for_the_first_time():
    questions = questions_of(1, 0)
    assert questions.take().ranks.first == 0
    questions.add(question(0))
    assert asked(questions) == [1, 0]


def test_a_round_ends_when_nobody_asks():
    questions = questions_of(0)
    assert asked(questions) == [0]
    questions.add(question(1))
    questions.add(question(0))
    assert asked(questions) == [0, 1]


def test_questions_can_be_given_up():
    questions = questions_of(2, 0, 1)
    questions.drop_oldest()
    assert str(questions.ranks) == "0-1"
    questions.clear()
    assert (len(questions), questions.ranks, questions.take()) == (0, RankSet(), None)
