"""What a value looks like: IPython's formatters, which are not asked about a plain number or text one by one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from IPython.core import formatters
from IPython.core.formatters import DisplayFormatter

__all__ = ["PLAIN", "RankDisplayFormatter"]

#: Types whose values are text alone, unless somebody has registered a printer for them.
PLAIN = frozenset({int, float, complex, bool, str, bytes, type(None)})
_TEXT = "text/plain"


class RankDisplayFormatter(DisplayFormatter):  # type: ignore[misc]  # IPython has no annotations here
    """IPython's display formatter.

    It looks for a picture, a page and nine other forms of each value, which takes longer than running most cells. What
    it would find for a plain value is known beforehand, and is the same.
    """

    def format(self, obj: Any, include: Any = None, exclude: Any = None) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return an object's data by MIME type, and the metadata of each."""
        if include is None and exclude is None and type(obj) in PLAIN and self._is_text_alone(obj):
            return {_TEXT: self.formatters[_TEXT](obj)}, {}
        found: tuple[dict[str, Any], dict[str, Any]] = super().format(obj, include, exclude)
        return found

    def _is_text_alone(self, obj: Any) -> bool:
        """Tell whether no formatter but that of text has anything to say to a plain value."""
        if type(self.formatters.get(_TEXT)) is not formatters.PlainTextFormatter:
            return False
        return not any(_may_format(one, obj) for one in self._others())

    def _others(self) -> Iterable[Any]:
        yield self.ipython_display_formatter
        yield self.mimebundle_formatter
        for name, formatter in self.formatters.items():
            if name != _TEXT:
                yield formatter


def _may_format(formatter: Any, obj: Any) -> bool:
    if type(formatter).__module__ != formatters.__name__:
        return True  # somebody else's: it decides itself
    kinds = type(obj).__mro__
    printers, singletons, deferred = formatter.type_printers, formatter.singleton_printers, formatter.deferred_printers
    if id(obj) in singletons or any(kind in printers for kind in kinds):
        return True
    return bool(deferred) and any((kind.__module__, kind.__name__) in deferred for kind in kinds)
