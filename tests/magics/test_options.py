"""Tests of pxshell.magics.options: options are exact words, and code is never eaten."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pxshell.magics.options import DIFF, PULL, PX, around, leading, trailing

from pxshell.errors import UsageError


@pytest.mark.parametrize(
    ("line", "options", "code"),
    [
        ("-u.max()", {}, "-u.max()"),
        ("- u", {}, "- u"),
        ("-t 0-2 u", {"targets": "0-2"}, "u"),
        ("--targets=0-2 u", {"targets": "0-2"}, "u"),
        ("-t '0, 2' u", {"targets": "0, 2"}, "u"),
        ("--targets [0,2] u", {"targets": "[0,2]"}, "u"),
        ("-a -o r --timeout 2.5  print('a   b')", {"block": False, "out": "r", "timeout": 2.5}, "print('a   b')"),
        ("--block --noblock x", {"block": False}, "x"),
        ("-b --verbose --group-outputs engine x", {"block": True, "verbose": True, "group": "engine"}, "x"),
        ("--peek u.shape", {"peek": True}, "u.shape"),
        ("--peeking", {}, "--peeking"),
        ("-a*2", {}, "-a*2"),
        ("-- -a", {}, "-a"),
        ("--  -t", {}, " -t"),
        ("--peek=1", {}, "--peek=1"),
        ("x --peek", {}, "x --peek"),
        ("--local x = 'a  -t b'", {"local": True}, "x = 'a  -t b'"),
        ("", {}, ""),
        ("-a", {"block": False}, ""),
    ],
)
def test_options_stand_before_the_code_and_the_code_is_verbatim(line, options, code):
    assert leading(line, PX) == (options, code)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("-t", "-t needs a value"),
        ("--timeout soon x", "'soon' is no number of seconds"),
        ("-o a.b x", "'a.b' is no name"),
        ("--group-outputs colour x", "type, engine or order"),
        ("--signal-on-interrupt SIGKILL x", "Ctrl-C sends INT"),
    ],
)
def test_a_bad_option_is_refused_in_one_line(line, why):
    """P10: clear refusals."""
    with pytest.raises(UsageError, match=why) as caught:
        leading(line, PX)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("line", "options", "code"),
    [
        ("u --peek -t 0-3", {"peek": True, "targets": "0-3"}, "u"),
        ("-t 0 --all u.x --rtol 1e-3 --peek", {"targets": "0", "all": True, "rtol": 1e-3, "peek": True}, "u.x"),
        ("-- --peek -t 1", {"targets": "1"}, "--peek"),
        ("u - -t", {}, "u - -t"),
        ("u --other", {}, "u --other"),
        ("a -peek", {}, "a -peek"),
    ],
)
def test_diff_takes_words_without_a_value_on_both_sides_too(line, options, code):
    assert around(line, DIFF) == (options, code)


words = st.text(st.characters(exclude_categories=["Cs", "Z", "C"]), min_size=1)
code = st.builds("{}{}".format, words, st.text(st.characters(exclude_categories=["Cs"])))


def is_option(text):
    word = text.split()[0]
    return word in PX or word == "--" or word.partition("=")[0] in PX


@given(code.filter(lambda text: text.split() and not is_option(text)))
def test_no_code_is_ever_eaten(text):
    """What begins with a word that is no option is code, to the last blank."""
    assert leading(text, PX) == ({}, text)
    assert leading(f"-a --peek -t 0-3 {text}", PX)[1] == text


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_after_two_dashes_everything_is_code(text):
    assert leading(f"-a -- {text}", PX) == ({"block": False}, text)


@pytest.mark.parametrize(
    ("line", "options", "code"),
    [
        ("u -t all -o parts", {"targets": "all", "out": "parts"}, "u"),
        ("-t all u[0] -o parts", {"targets": "all", "out": "parts"}, "u[0]"),
        ("f(-o) - t", {}, "f(-o) - t"),
        ("-o parts u --peek", {"out": "parts"}, "u --peek"),
        ("u -x y", {}, "u -x y"),
    ],
)
def test_pull_takes_its_options_on_both_sides(line, options, code):
    assert trailing(line, PULL) == (options, code)
