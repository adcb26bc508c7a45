"""Names that the source of the program mentions: a name that nothing mentions never gets a value.

For a side thread. The source is read and not compiled: that would warn a second time of what the program's own
compiling has warned of. What is read is the source of the script and of the user's modules that
are loaded, and of no library.
"""

from __future__ import annotations

import builtins
import itertools
import keyword
import sys
import tokenize
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import FrameType, ModuleType
from typing import NamedTuple

from pxshell.engine.frames import is_user_code, user_frames

__all__ = ["Mentions", "Unknown", "mentions_in", "unknown_name"]

#: Code that makes names out of text: then nothing can be said.
_DYNAMIC = frozenset({"exec", "globals", "__import__", "import_module", "run_path", "run_module"})
_ASSIGNS = frozenset({"=", ":=", "+=", "-=", "*=", "/=", "//="})
#: More is not read: a question must not take long.
_MOST_FILES = 500
_MOST_BYTES = 2_000_000


@dataclass(frozen=True, slots=True)
class Mentions:
    """What one source file mentions.

    Attributes:
        names: Every name, and every text that could be one.
        counted: Names that it assigns, or counts in a loop.
        imports: Modules that it imports wherever it does: (dots, module, names taken from it).
        is_dynamic: It may make names that are not written down.
    """

    names: frozenset[str] = frozenset()
    counted: frozenset[str] = frozenset()
    imports: frozenset[tuple[int, str, tuple[str, ...]]] = frozenset()
    is_dynamic: bool = False


class Unknown(NamedTuple):
    """A name that no code mentions, and the one nearest to it, or ""."""

    name: str
    near: str


def unknown_name(names: Iterable[str], frame: FrameType | None) -> Unknown | None:
    """Return the first of these names that no code of the program mentions; None also when that cannot be known.

    Args:
        names: Global or local names.
        frame: Where the main thread is.
    """
    main = sys.modules["__main__"].__dict__
    wanted = [name for name in names if name not in main and not hasattr(builtins, name)]
    if not wanted:
        return None
    read = _program(frame)
    if read is None:
        return None
    known = frozenset[str]().union(*(one.names for one in read))
    missing = next((name for name in wanted if name not in known), None)
    if missing is None:
        return None
    return Unknown(missing, _nearest(missing, frozenset[str]().union(*(one.counted for one in read))))


def _nearest(name: str, names: Iterable[str]) -> str:
    from difflib import get_close_matches

    return next(iter(get_close_matches(name, sorted(names), 1)), "")


# -- the program ------------------------------------------------------------------------------------------------------


def _program(frame: FrameType | None) -> list[Mentions] | None:
    """Return what the files of the program mention; None when some of it is not to be read, or not loaded yet."""
    modules = [(name, module) for name, module in list(sys.modules.items()) if _is_users(module)]
    if not any(name == "__main__" for name, _ in modules) or len(modules) > _MOST_FILES:
        return None
    files = {str(module.__file__) for _, module in modules}
    if any(one.f_code.co_filename not in files for one in user_frames(frame)):
        return None  # a cell, or what `exec` runs
    read = []
    for name, module in modules:
        mentions = _mentions_of(str(module.__file__))
        if mentions is None or mentions.is_dynamic or not _is_all_loaded(mentions, _package_of(name, module)):
            return None
        read.append(mentions)
    return read


def _is_users(module: ModuleType | None) -> bool:
    file = getattr(module, "__file__", None)
    return isinstance(file, str) and file.endswith(".py") and is_user_code(file)


def _package_of(name: str, module: ModuleType) -> str:
    return str(getattr(module, "__package__", None) or name.rpartition(".")[0])


def _is_all_loaded(mentions: Mentions, package: str) -> bool:
    return all(_is_loaded(dots, module, taken, package) for dots, module, taken in mentions.imports)


def _is_loaded(dots: int, module: str, taken: tuple[str, ...], package: str) -> bool:
    """Tell whether an import brings no user code that is not loaded yet."""
    if dots:
        parent = ".".join(package.split(".")[: len(package.split(".")) - dots + 1])
        module = f"{parent}.{module}" if module else parent
    loaded = sys.modules.get(module)
    if loaded is None:
        return _is_library(module.partition(".")[0])
    return all(hasattr(loaded, name) for name in taken) or not _is_users(loaded)


@lru_cache(maxsize=512)
def _is_library(name: str) -> bool:
    """Tell whether a module that is not loaded is none of the user's; nothing is imported."""
    if name in sys.stdlib_module_names:
        return True
    from importlib.util import find_spec

    try:
        spec = find_spec(name)
    except (ImportError, AttributeError, ValueError):
        return False
    if spec is None:
        return True  # one that is not installed
    places = [spec.origin] if spec.origin else list(spec.submodule_search_locations or ())
    return bool(places) and not any(is_user_code(place) for place in places)


@lru_cache(maxsize=512)
def _mentions_of(file: str) -> Mentions | None:
    try:
        if Path(file).stat().st_size > _MOST_BYTES:
            return None
        with tokenize.open(file) as source:
            return mentions_in(source)
    except (OSError, SyntaxError, UnicodeDecodeError, tokenize.TokenError):
        return None


# -- one file ---------------------------------------------------------------------------------------------------------

_Token = tuple[int, str]


def mentions_in(source: Iterable[str]) -> Mentions:
    """Return what lines of source mention.

    Raises:
        tokenize.TokenError, SyntaxError: they are no Python.
    """
    tokens = list(_tokens(iter(source)))
    names = {text for kind, text in tokens if kind == tokenize.NAME and not keyword.iskeyword(text)}
    texts = {text for kind, text in tokens if kind == tokenize.STRING and text.isidentifier()}
    counted = {
        text for (kind, text), (_, after) in itertools.pairwise(tokens) if kind == tokenize.NAME and after in _ASSIGNS
    }
    counted |= set(_loop_names(tokens))
    return Mentions(frozenset(names | texts), frozenset(counted), frozenset(_imports(tokens)), bool(names & _DYNAMIC))


def _tokens(lines: Iterator[str]) -> Iterator[_Token]:
    """Yield names, operators, and texts without their quotes; every other token is one that separates."""
    for token in tokenize.generate_tokens(lambda: next(lines, "")):
        if token.type in (tokenize.COMMENT, tokenize.NL):
            continue
        if token.type == tokenize.STRING:
            yield token.type, token.string.strip("\"'")
        else:
            yield token.type, token.string


def _loop_names(tokens: list[_Token]) -> Iterator[str]:
    is_target = False
    for kind, text in tokens:
        if kind == tokenize.NAME and text in ("for", "in"):
            is_target = text == "for"
        elif is_target and kind == tokenize.NAME:
            yield text


def _imports(tokens: list[_Token]) -> Iterator[tuple[int, str, tuple[str, ...]]]:
    """Yield every import; a word `from` or `import` elsewhere (`yield from`, `raise … from`) leads to nothing."""
    for index, (kind, text) in enumerate(tokens):
        if kind != tokenize.NAME or text not in ("from", "import"):
            continue
        statement = _until_newline(tokens, index + 1)
        if text == "from" and "import" in statement:
            yield _from(statement)
        elif text == "import" and not _is_after_from(tokens, index):
            yield from ((0, module, ()) for module in _modules(statement))


def _until_newline(tokens: list[_Token], start: int) -> list[str]:
    words = []
    for kind, text in tokens[start:]:
        if kind == tokenize.NEWLINE or text == ";":
            break
        words.append(text)
    return words


def _is_after_from(tokens: list[_Token], index: int) -> bool:
    for kind, text in reversed(tokens[:index]):
        if kind == tokenize.NEWLINE or text in (";", ":"):
            return False
        if text == "from":
            return True
    return False


def _from(statement: list[str]) -> tuple[int, str, tuple[str, ...]]:
    at = statement.index("import")
    origin = "".join(statement[:at])
    module = origin.lstrip(".")
    taken = _modules([word for word in statement[at + 1 :] if word not in "()"])
    return len(origin) - len(module), module, tuple(name for name in taken if name != "*")


def _modules(statement: list[str]) -> list[str]:
    """Read `a.b as c, d`: the names before `as`."""
    parts = "\0".join(statement).split(",")
    return [one for part in parts if (one := "".join(part.split("\0as\0")[0].split("\0")))]
