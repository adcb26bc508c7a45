"""The toolbar: all ranks, folded by state, each state in its colour."""

from __future__ import annotations

from pxshell.ranks import EMPTY, RankSet
from pxshell.render import States

__all__ = ["Fragments", "toolbar"]

#: prompt_toolkit's formatted text: style and text of each piece.
Fragments = list[tuple[str, str]]

_STYLES = {
    "idle": "fg:ansigreen",
    "running": "fg:ansiblue",
    "busy": "fg:ansiblue",
    "paused": "fg:ansiyellow",
    "held": "fg:ansimagenta",
    "debugging": "fg:ansicyan",
    "failed": "fg:ansired",
    "unresponsive": "fg:ansired",
    "lost": "fg:ansired bold",
    "dead": "fg:ansired bold",
}


def toolbar(name: str, states: States, width: int) -> Fragments:
    """Return the cluster's name and each group of ranks; what does not fit gives way to an ellipsis."""
    groups: dict[tuple[str, str], RankSet] = {}
    for ranks, word, where in states.rows:
        groups[word, where] = groups.get((word, where), EMPTY) | ranks
    fragments: Fragments = [("bold", f" {name} ")]
    for (word, where), ranks in groups.items():
        style = _STYLES.get(word.split()[0] if word else "", "")
        fragments += [("", f"  {ranks} "), (style, f"{word} {where}".rstrip())]
    return _cut(fragments, width)


def _cut(fragments: Fragments, width: int) -> Fragments:
    kept: Fragments = []
    for style, text in fragments:
        if len(text) > width:
            return [*kept, (style, f"{text[: max(0, width - 1)]}…")]
        kept.append((style, text))
        width -= len(text)
    return kept
