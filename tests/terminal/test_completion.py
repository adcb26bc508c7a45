"""Completion asks the ranks about their objects, and knows our own words itself."""

import pytest
from prompt_toolkit.completion import CompleteEvent, Completion
from prompt_toolkit.document import Document

from pxshell.ranks import RankSet
from pxshell.session import Session
from pxshell.terminal.completion import RankCompleter
from pxshell.testing.scripted import RecordingDisplay, Said, ScriptedClient


class Source:
    def __init__(self, session):
        self.session = session

    def magic_names(self):
        return ["pxfocus", "pxsignal", "local"]

    def complete_here(self, code, cursor):
        yield Completion(f"here:{code}:{cursor}")


@pytest.fixture
def client():
    return ScriptedClient(4)


@pytest.fixture
def complete(client):
    with Session(client, RecordingDisplay()) as session:
        completer = RankCompleter(Source(session))

        def complete(text):
            return list(completer.get_completions(Document(text), CompleteEvent()))

        yield complete


def texts(completions):
    return [one.text for one in completions]


def matches(*found, start=0, kinds=()):
    types = [{"text": text, "type": kind} for text, kind in zip(found, kinds, strict=False)]
    metadata = {"_jupyter_types_experimental": types} if types else {}
    return {"status": "ok", "matches": list(found), "cursor_start": start, "cursor_end": 0, "metadata": metadata}


def test_matches_of_all_ranks_are_united(client, complete):
    def answer(asked):
        yield Said("complete_reply", matches("u.max", "u.mean", kinds=["function", "function"]), RankSet.span(0, 3))
        yield Said("complete_reply", matches("u.max", "u.mask", kinds=["function", "instance"]), RankSet.of(3))

    client.on("complete_request", answer)
    found = complete("u.ma")
    assert texts(found) == ["u.max", "u.mean", "u.mask"]
    assert {one.start_position for one in found} == {-4}
    assert [one.display_text for one in found] == ["max", "mean", "mask"]
    assert found[2].display_meta_text == "instance"


def test_a_rank_that_does_not_answer_costs_a_tenth_of_a_second(client, complete):
    """What has come by the deadline is shown."""
    client.on("complete_request", lambda asked: [Said("complete_reply", matches("rank"), RankSet.span(0, 2))])
    assert texts(complete("ra")) == ["rank"]


def test_code_after_px_is_completed_as_code(client, complete):
    client.on("complete_request", lambda asked: [Said("complete_reply", matches("rank", start=0))])
    found = complete("%px -t 0-1 --peek ra")
    assert client.asked[0].content == {"code": "ra", "cursor_pos": 2}
    assert [(one.text, one.start_position) for one in found] == [("rank", -2)]
    complete("%%px -a\nx = ra")
    assert client.asked[1].content == {"code": "x = ra", "cursor_pos": 6}
    assert complete("%pxdiff --rtol 1e-3 --peek ra") == complete("%pxplot ra") == complete("ra")


def test_local_code_is_completed_here(client, complete):
    assert texts(complete("%local os.pa")) == ["here:os.pa:5"]
    assert client.asked == []


def test_magics_of_both_sides_are_offered(client, complete):
    client.on("complete_request", lambda asked: [Said("complete_reply", matches("%prun"))])
    assert texts(complete("%p")) == ["%pxfocus", "%pxsignal", "%prun"]


@pytest.mark.parametrize(
    "line", ["%pxfocus @pa", "%pxfocus 0-1,@pa", "%pxfocus +@pa", "%px -t @pa", "%pxpull u -t 0!@pa"]
)
def test_rank_sets_are_completed_where_they_stand(complete, line):
    assert [(one.text, one.start_position) for one in complete(line)] == [("@paused", -3)]


def test_the_focus_also_has_its_words(complete):
    found = texts(complete("%pxfocus "))
    assert found[:2] == ["all", "0-3"]
    assert found[-2:] == ["if", "--name"]


def test_signals_are_completed(complete):
    assert texts(complete("%pxsignal pa")) == ["pause", "pause --sync"]


def test_nothing_typed_asks_nobody(client, complete):
    assert complete("") == complete("%px ") == []
    assert client.asked == []
