"""Plain values are formatted as IPython formats them, without asking each of its formatters."""

from __future__ import annotations

import sys

import pytest
from IPython.core.formatters import DisplayFormatter, HTMLFormatter
from traitlets import Unicode

from pxshell.engine.formatting import RankDisplayFormatter

VALUES = [1, -7, 1.5, float("nan"), 2j, True, "text\nof two lines", b"\x00bytes", "", 10**40, None, [1, "a"], int]


class Number(int):
    """A number that has a page of its own."""

    def _repr_html_(self) -> str:
        return "<b>1</b>"


@pytest.fixture
def ours():
    return RankDisplayFormatter()


@pytest.mark.parametrize("value", [*VALUES, Number(1)], ids=repr)
def test_a_value_looks_as_in_ipython(ours, value):
    """Whatever its type, and whatever is asked for."""
    theirs = DisplayFormatter()
    assert ours.format(value) == theirs.format(value)
    assert ours.format(value, include={"text/html"}) == theirs.format(value, include={"text/html"})


def test_what_is_registered_later_is_found(ours):
    """By type, by a base type, by name, for one object, in place of another table; and taken out again."""
    html = ours.formatters["text/html"]
    plain = {"text/plain": "1000"}
    value = 1000
    assert ours.format(value)[0] == plain
    html.for_type(int, lambda number: f"<i>{number}</i>")
    assert ours.format(value)[0] == plain | {"text/html": "<i>1000</i>"}
    html.pop(int)
    assert ours.format(value)[0] == plain
    html.for_type(object, lambda number: "<u>object</u>")
    assert ours.format(value)[0] == plain | {"text/html": "<u>object</u>"}
    html.pop(object)
    html.for_type_by_name("builtins", "int", lambda number: "<u>named</u>")
    assert ours.format(value)[0] == plain | {"text/html": "<u>named</u>"}
    html.pop(int)
    html.singleton_printers[id(value)] = lambda number: "<u>this</u>"
    assert ours.format(value)[0] == plain | {"text/html": "<u>this</u>"}
    html.singleton_printers = {}
    assert ours.format(value)[0] == plain
    html.type_printers = {int: lambda number: "<u>other table</u>"}
    assert ours.format(value)[0] == plain | {"text/html": "<u>other table</u>"}


def test_a_formatter_of_somebody_else_is_asked(ours):
    """It may say something to any value."""

    class Page(HTMLFormatter):
        format_type = Unicode("text/x-page")

        def __call__(self, obj: object) -> str:
            return "<p>"

    assert ours.format(1)[0] == {"text/plain": "1"}
    ours.register_formatter(Page(parent=ours))
    assert ours.format(1)[0] == {"text/plain": "1", "text/x-page": "<p>"}


def test_the_precision_of_numbers_is_obeyed(ours):
    """`%precision` changes the formatter of text alone."""
    ours.formatters["text/plain"].float_precision = "3"
    assert ours.format(1 / 3)[0] == {"text/plain": "0.333"}
    assert "numpy" not in sys.modules or ours.format(2.0)[0] == {"text/plain": "2.000"}


def test_the_text_of_a_plain_value_may_be_somebody_elses(ours):
    """By type, and for one object."""
    text = ours.formatters["text/plain"]
    text.for_type(int, lambda number, printer, cycle: printer.text(f"<{number}>"))
    assert ours.format(1000)[0] == {"text/plain": "<1000>"}
    text.for_type(int, None)
    text.singleton_printers[id(True)] = lambda number, printer, cycle: printer.text("yes")
    assert ours.format(True)[0] == {"text/plain": "yes"}


def test_a_number_that_python_does_not_write_is_an_error_as_in_ipython(ours, capsys):
    theirs = DisplayFormatter().format(10**10000)
    said = capsys.readouterr().err
    assert "ValueError" in said
    assert ours.format(10**10000) == theirs
    assert "ValueError" in capsys.readouterr().err
