"""The user's program: what stands after `--`, read as the python command line that it is."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pxshell.errors import UsageError

__all__ = ["Program"]

# Options of the interpreter that take a value, attached or as the next word.
_WITH_VALUE = ("-W", "-X", "--check-hash-based-pycs")


@dataclass(frozen=True, slots=True)
class Program:
    """A script or module with its arguments, and the interpreter for it; without a target, a bare engine."""

    interpreter: str = sys.executable
    flags: tuple[str, ...] = ()
    #: `SCRIPT ARGS` or `-m MODULE ARGS`; empty for a bare engine.
    target: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """The program as people call it: `sim.py`, `-m pkg`; "" for a bare engine."""
        if self.target[:1] == ("-m",):
            return f"-m {self.target[1]}"
        return Path(self.target[0]).name if self.target else ""

    @property
    def stem(self) -> str:
        """The word from which a cluster's name is made; "" for a bare engine."""
        if self.target[:1] == ("-m",):
            return self.target[1].rpartition(".")[2]
        return Path(self.target[0]).stem if self.target else ""

    def engine_argv(self, *, hold: bool) -> tuple[str, ...]:
        """Return the command of one engine that runs it."""
        held = ("--hold",) if hold else ()
        return (self.interpreter, *self.flags, "-m", "pxshell.engine", *held, *self.target)

    @classmethod
    def parse(cls, words: Sequence[str], cwd: Path) -> Program:
        """Read `sim.py ARGS`, `python -u sim.py ARGS` or `-m pkg ARGS`.

        Raises:
            UsageError: no script, or one that is not there.
        """
        interpreter, rest = _split_interpreter(list(words))
        flags, target = _split_flags(rest)
        _check_target(target, cwd)
        return cls(interpreter, tuple(flags), tuple(target))


def _split_interpreter(words: list[str]) -> tuple[str, list[str]]:
    """Take the interpreter off; a bare `python` means the Python that runs pxshell, a path or version itself."""
    name = Path(words[0]).name if words else ""
    if not (name.startswith("python") and name[6:].replace(".", "").isdigit()) and name != "python":
        return sys.executable, words
    major, minor = sys.version_info[:2]
    if words[0] in {"python", f"python{major}", f"python{major}.{minor}"}:
        return sys.executable, words[1:]
    return _checked_interpreter(words[0]), words[1:]


def _checked_interpreter(word: str) -> str:
    found = shutil.which(word)
    if found is None:
        raise UsageError(f"no interpreter {word!r} on this machine; without one, {sys.executable} runs the script")
    if not _has_pxshell(found):
        raise UsageError(f"{word} has no pxshell, and ranks need it: {word} -m pip install pxshell")
    return found


def _has_pxshell(interpreter: str) -> bool:
    probe = "import importlib.util as u, sys; sys.exit(u.find_spec('pxshell') is None)"
    # Not in this directory, where a source tree would be found that the ranks do not see.
    return subprocess.run([interpreter, "-c", probe], cwd="/", capture_output=True, check=False).returncode == 0


def _split_flags(words: list[str]) -> tuple[list[str], list[str]]:
    """Split the interpreter's options from `SCRIPT ARGS` or `-m MODULE ARGS`."""
    at = 0
    while at < len(words) and words[at].startswith("-") and words[at] not in {"-", "-m", "-c"}:
        if words[at].startswith("-m"):
            return words[:at], ["-m", words[at][2:], *words[at + 1 :]]
        at += 2 if words[at] in _WITH_VALUE else 1
    return words[:at], words[at:]


def _check_target(target: list[str], cwd: Path) -> None:
    first = target[0] if target else ""
    if first in {"", "-"} or target == ["-m"]:
        raise UsageError("no script to run; give it after --: pxshell run -n 4 -- sim.py ARGS")
    if first == "-c":
        raise UsageError("python -c is no script; run a cell on 4 ranks: pxshell -n 4 -c 'CELL'")
    if first != "-m" and not (cwd / first).exists():
        raise UsageError(f"no script {first!r} in {cwd}; a module is given as: -- -m {first}")
