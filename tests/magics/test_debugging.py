"""`%pxdebug`: its words."""

import pytest

from pxshell.ranks import RankSet


class Debugger:
    """Keeps what it is asked for."""

    def __init__(self):
        self.calls = []

    def __getattr__(self, name):
        def call(*args, **kwargs):
            args = [str(one) if isinstance(one, RankSet) else one for one in args]
            self.calls.append(
                (name, *args, {key: str(v) if isinstance(v, RankSet) else v for key, v in kwargs.items()})
            )

        return call


@pytest.fixture
def asked(magician):
    """Give a function that runs a line and returns what the debugger was asked for."""
    debugger = magician.session.debugger = Debugger()

    def run(line):
        debugger.calls.clear()
        shown = magician.run(line)
        assert not shown, shown
        return debugger.calls

    return run


@pytest.mark.parametrize(
    ("line", "call"),
    [
        ("where", ("where", None, {"full": False})),
        ("w --full -t 0-1", ("where", "0-1", {"full": True})),
        ("up", ("up", 1, None, {"full": False})),
        ("u 3", ("up", 3, None, {"full": False})),
        ("down 2 -t 3", ("up", -2, "3", {"full": False})),
        ("d --full", ("up", -1, None, {"full": True})),
        ("step", ("step", "step", None, {"line": 0, "deadline": None})),
        ("s -t 1", ("step", "step", "1", {"line": 0, "deadline": None})),
        ("next", ("step", "next", None, {"line": 0, "deadline": None})),
        ("n --timeout 2", ("step", "next", None, {"line": 0, "deadline": 2.0})),
        ("finish", ("step", "finish", None, {"line": 0, "deadline": None})),
        ("r", ("step", "finish", None, {"line": 0, "deadline": None})),
        ("until 91", ("step", "until", None, {"line": 91, "deadline": None})),
        ("unt", ("step", "until", None, {"line": 0, "deadline": None})),
        ("until 91 -t 0-1", ("step", "until", "0-1", {"line": 91, "deadline": None})),
        ("continue -t 2", ("go_on", "2", {})),
        ("c", ("go_on", None, {})),
        ("l", ("source", None, None, {})),
        ("list 40", ("source", 40, None, {})),
        ("watch u.min() < 0 -t 3", ("watch", "u.min() < 0", "3", {})),
        ("breaks", ("breakpoints", {})),
        ("clear 1, 2", ("clear", [1, 2], {})),
        ("clear all", ("clear", (), {})),
    ],
)
def test_verbs_and_the_habits_of_pdb(asked, line, call):
    (said,) = asked(f"%pxdebug {line}")
    assert tuple(list(one) if isinstance(one, map) else one for one in said) == call


BREAK = {"condition": "", "once": False, "hits": 1, "ranks": None}


@pytest.mark.parametrize(
    ("line", "spec"),
    [
        ("sim.py:88", {"file": "sim.py", "line": 88}),
        ("pkg/mod.py:3 -t 0-1", {"file": "pkg/mod.py", "line": 3, "ranks": "0-1"}),
        (
            "-t 3 sim.py:88 if x > 1 and rank == 3",
            {"file": "sim.py", "line": 88, "ranks": "3", "condition": "x > 1 and rank == 3"},
        ),
        ("total_mass --once --hits 3", {"function": "total_mass", "once": True, "hits": 3}),
        ("pkg.mod.f if ' if ' in s", {"function": "pkg.mod.f", "condition": "' if ' in s"}),
        ("<cell>:2", {"file": "<cell>", "line": 2}),
    ],
)
def test_breakpoints_are_read(asked, line, spec):
    (said,) = asked(f"%pxdebug break {line}")
    assert said == ("add_breakpoint", {**BREAK, **spec})


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("", "which? %pxdebug"),
        ("jump", "there is no verb 'jump'; verbs: %pxdebug attach | "),
        ("where 3", "%pxdebug where takes no '3'; ranks: -t RANKS"),
        ("up x", "'x' is no number"),
        ("up 0", "'0' is no number"),
        ("next 3", "%pxdebug next takes no '3'"),
        ("p", "print what?"),
        ("break", "where? %pxdebug break FILE:LINE"),
        ("break sim.py", "'sim.py' is neither FILE:LINE nor a function"),
        ("break sim.py:3 if", "if what?"),
        ("break sim.py:3 x > 1", "takes no 'x > 1'; conditions: if EXPR"),
        ("break sim.py:3 --hits 0", "'0' is no number of hits"),
        ("watch", "watch what?"),
        ("clear", "clear which?"),
        ("clear x", "clear which?"),
        ("breaks 3", "takes no '3'"),
        ("next -t 9", "9"),
    ],
)
def test_what_cannot_be_read_is_refused_in_a_line(magician, line, why):
    """P10: what happened, why, what to do."""
    shown = magician.run(f"%pxdebug {line}")
    assert why in shown
    assert shown.count("\n") == 1


def test_p_runs_an_expression_in_the_frame(magician):
    magician.run("%pxdebug p u.max()")
    magician.run("%pxdebug p -t 3 -x")
    assert magician.sent() == [("u.max()", "0-3"), ("-x", "3")]


@pytest.mark.parametrize(
    ("line", "call"),
    [
        ("--escalate", (None, {"seconds": 5.0, "yes": False})),
        ("--escalate 2.5 -t 3 --yes", ("3", {"seconds": 2.5, "yes": True})),
        ("--escalate -t 3", ("3", {"seconds": 5.0, "yes": False})),
    ],
)
def test_escalation_is_read(magician, monkeypatch, line, call):
    calls = []
    monkeypatch.setattr(magician.session, "escalate", lambda ranks, **more: calls.append((ranks and str(ranks), more)))
    assert not magician.run(f"%pxsignal {line}")
    assert calls == [call]


def test_an_escalation_with_other_words_is_refused(magician):
    assert "is no number of seconds" in magician.run("%pxsignal --escalate soon")
