"""What a value looks like: IPython's formatters, which are not asked about a plain number or text one by one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from IPython.core import formatters
from IPython.core.formatters import DisplayFormatter
from IPython.lib import pretty

__all__ = ["PLAIN", "RankDisplayFormatter"]

#: Types whose values are text alone, unless somebody has registered a printer for them.
PLAIN = frozenset({int, float, complex, bool, str, bytes})
_TEXT = "text/plain"
#: The printer of most plain values; None where IPython has another name for it.
_REPR = getattr(pretty, "_repr_pprint", None)
_TABLES = ("type_printers", "singleton_printers", "deferred_printers")


@dataclass(frozen=True, slots=True)
class _Tables:
    """The formatters that there are, and the tables of those that could have something to say to a plain value."""

    formatters: tuple[Any, ...]
    #: Whether all are IPython's own: somebody else's decides itself.
    are_known: bool
    by_type: tuple[dict[type, Any], ...]
    by_id: tuple[dict[int, Any], ...]
    by_name: tuple[dict[tuple[str, str], Any], ...]


class RankDisplayFormatter(DisplayFormatter):
    """IPython's display formatter.

    It looks for a picture, a page and nine other forms of each value, which takes longer than running most cells. What
    it would find for a plain value is known beforehand, and is the same.
    """

    _tables: _Tables | None = None

    def format(self, obj: Any, include: Any = None, exclude: Any = None) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return an object's data by MIME type, and the metadata of each."""
        if include is None and exclude is None and type(obj) in PLAIN and self._is_text_alone(obj):
            text = _text_of(self.formatters[_TEXT], obj)
            if text is not None:
                return {_TEXT: text}, {}
        found: tuple[dict[str, Any], dict[str, Any]]
        found = super().format(obj, include, exclude)  # type: ignore[no-untyped-call]  # IPython has no annotations here
        return found

    def _is_text_alone(self, obj: Any) -> bool:
        """Tell whether no formatter but that of text has anything to say to a plain value."""
        there = (self.ipython_display_formatter, self.mimebundle_formatter, *self.formatters.values())
        tables = self._tables
        if tables is None or tables.formatters != there:
            tables = self._tables = self._look(there)
        if not tables.are_known:
            return False
        kinds, number = type(obj).__mro__, id(obj)
        for by_type in tables.by_type:
            for kind in kinds:
                if kind in by_type:
                    return False
        for by_id in tables.by_id:
            if number in by_id:
                return False
        return not any(by_name and _names(kinds) & by_name.keys() for by_name in tables.by_name)

    def _look(self, there: tuple[Any, ...]) -> _Tables:
        """Take the tables, and hear when one is put in the place of another; what they hold is looked at each time."""
        for one in there:
            one.observe(self._forget, _TABLES)
        others = [one for one in there if one is not self.formatters.get(_TEXT)]
        return _Tables(
            formatters=there,
            are_known=all(type(one).__module__ == formatters.__name__ for one in there) and len(others) < len(there),
            by_type=tuple(one.type_printers for one in others),
            by_id=tuple(one.singleton_printers for one in others),
            by_name=tuple(one.deferred_printers for one in others),
        )

    def _forget(self, _change: Any) -> None:
        self._tables = None


def _text_of(formatter: Any, obj: Any) -> str | None:
    """Return the text of a plain value, if all that the pretty printer does for it is to call `repr`."""
    printer = formatter.singleton_printers.get(id(obj))
    if printer is None:
        printers = formatter.type_printers
        printer = next((printers[kind] for kind in type(obj).__mro__ if kind in printers), None)
    if printer is _REPR and not formatter.deferred_printers.keys() & _names(type(obj).__mro__):
        try:
            return repr(obj)
        except ValueError:  # a number of more digits than Python writes: IPython shows the error
            return None
    return None


def _names(kinds: tuple[type, ...]) -> set[tuple[str, str]]:
    return {(kind.__module__, kind.__name__) for kind in kinds}
