"""Drawing a traceback takes most of a failed cell: what IPython's helpers do anew each time is kept meanwhile."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

__all__ = ["quick_drawing"]

_PYTHON = "python3"


@contextmanager
def quick_drawing(files: Iterable[str]) -> Iterator[None]:
    """Let IPython draw what it draws, sooner.

    stack_data makes a lexer class of its own for each piece of code that it colours, and pygments compiles all rules of
    Python for each class; `inspect` looks through all modules for one that a cell could have come from. Each is a
    quarter of the time and more.

    Args:
        files: The names of the code in the traceback.
    """
    from pygments import lexers

    theirs: Any = lexers.get_lexer_by_name
    cells = [file for file in set(files) if file.startswith("<") and file not in inspect.modulesbyfile]

    def get_lexer_by_name(name: str, **options: Any) -> Any:
        return _lexer_class()(**options) if name == _PYTHON else theirs(name, **options)

    for file in cells:
        inspect.modulesbyfile[file] = "__main__"
    lexers.get_lexer_by_name = get_lexer_by_name
    try:
        yield
    finally:
        lexers.get_lexer_by_name = theirs
        for file in cells:
            inspect.modulesbyfile.pop(file, None)


@cache
def _lexer_class() -> type:
    """Return a lexer of Python whose subclasses share its rules, unless they have rules of their own."""
    from pygments.lexer import RegexLexerMeta
    from pygments.lexers.python import PythonLexer

    class Sharing(RegexLexerMeta):  # type: ignore[misc]  # pygments has no annotations
        def __call__(self, *args: Any, **options: Any) -> Any:
            own = self.__dict__
            if self is not Lexer and "_tokens" not in own and "tokens" not in own:
                for name in ("_all_tokens", "_tokens"):
                    setattr(self, name, Lexer.__dict__[name])
            return super().__call__(*args, **options)

    class Lexer(PythonLexer, metaclass=Sharing):  # type: ignore[misc]  # as above
        """Python."""

    Lexer()  # which compiles the rules
    return Lexer
