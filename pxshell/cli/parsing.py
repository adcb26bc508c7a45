"""What all subcommands parse alike: one line for what is wrong, cells that begin with a dash, the words after `--`."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from typing import NoReturn

from pxshell.errors import UsageError

__all__ = ["Parser", "add_cell_options", "add_json_option", "add_name", "positive", "seconds", "split_program"]

# Their next word is their value whatever it looks like: `-c '-u.max()'`, `--launch-args '--bind-to core'`.
_VERBATIM = {"-c": "--cell", "--cell": "--cell", "--launch-args": "--launch-args"}


class Parser(argparse.ArgumentParser):
    """An ArgumentParser that raises UsageError, reads `--mpi=FLAVOUR`, and takes verbatim values."""

    def __init__(self, *, prog: str, description: str, epilog: str | None = None) -> None:
        super().__init__(
            prog=prog,
            description=description,
            epilog=epilog,
            allow_abbrev=False,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )

    def error(self, message: str) -> NoReturn:
        """Leave by an exception; one place prints it."""
        raise UsageError(f"{_plainer(message)}; see: {self.prog} --help")

    def parse_args(self, args: Sequence[str], namespace: None = None) -> argparse.Namespace:  # type: ignore[override]
        """Read the words before `--`; where words that mean nothing are kept for advice, unknown options are too."""
        found, unknown = self.parse_known_args(_explicit(list(args)), namespace)
        if unknown and not getattr(found, "words", None):
            self.error(f"unknown arguments: {' '.join(unknown)}")
        if unknown:
            found.words += unknown
        return found


def split_program(words: list[str]) -> tuple[list[str], list[str]]:
    """Split at the first `--` that is no option's value: our options, the user's program."""
    at = 0
    while at < len(words):
        if words[at] == "--":
            return words[:at], words[at + 1 :]
        at += 2 if words[at] in _VERBATIM else 1
    return words, []


def _explicit(words: list[str]) -> list[str]:
    """Write verbatim values as `--option=value`, which argparse takes as they are, and the flavour of `--mpi` apart."""
    explicit = []
    rest = iter(words)
    for word in rest:
        value = next(rest, None) if word in _VERBATIM else None
        if value is not None:
            explicit.append(f"{_VERBATIM[word]}={value}")
        elif word.startswith("--mpi="):
            # Not nargs="?": that would take the word after a bare --mpi.
            explicit += ["--mpi", f"--mpi-flavour={word[6:]}"]
        else:
            explicit.append(word)
    return explicit


def _plainer(message: str) -> str:
    """Say what argparse says in our words."""
    return re.sub(r"^argument ([^:]*): ", lambda found: f"{found[1].rpartition('/')[0] or found[1]}: ", message)


def positive(text: str) -> int:
    """Read a number of ranks or lines."""
    if not re.fullmatch(r"[0-9]{1,9}", text) or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 up; write it as in 4")
    return int(text)


def seconds(text: str) -> float:
    """Read a time in seconds."""
    if not re.fullmatch(r"[0-9]+(\.[0-9]*)?|\.[0-9]+", text):
        raise argparse.ArgumentTypeError(f"{text!r} is no time in seconds")
    return float(text)


def add_json_option(parser: argparse.ArgumentParser) -> None:
    """Add `--json`."""
    parser.add_argument("--json", action="store_true", help="print one JSON object a line")


def add_name(parser: argparse.ArgumentParser, help: str = "the cluster; your only one by default") -> None:  # noqa: A002 - argparse's own word
    """Add the cluster's name as the only positional argument."""
    parser.add_argument("name", nargs="?", metavar="NAME", help=help)


def add_cell_options(parser: argparse.ArgumentParser) -> None:
    """Add `-c` and what belongs to it."""
    parser.add_argument(
        "-c",
        "--cell",
        dest="cells",
        action="append",
        default=[],
        metavar="CELL",
        help="run a cell, magics included, and leave; may be given again; exit status of the worst rank",
    )
    parser.add_argument("--keep-going", action="store_true", help="go on with the next cell when one has failed")
    add_json_option(parser)
