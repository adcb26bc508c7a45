"""Descriptions of values in words, and what differs between two of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

from pxshell.ranks import RankSet, union
from pxshell.values.comparing import Difference, Group, Sample
from pxshell.values.describe import Leaf

__all__ = ["difference_lines", "leaf_text", "sample_text", "spread_lines", "unseen_text"]

#: Paths that are listed of those that differ.
LISTED = 6
#: Characters of the path of a part that was not compared.
_PATH_SHOWN = 30


def number_text(value: float) -> str:
    """Write a number with five digits."""
    return f"{value:.5g}"


def leaf_text(leaf: Leaf | None) -> str:
    """Write a leaf in one line; None is one that is not there."""
    match leaf:
        case None:
            return "absent"
        case {"kind": "array"}:
            return _array_text(leaf)
        case {"kind": "float", "value": value}:
            return repr(float(value))
        case {"value": [real, imag]}:
            return repr(complex(real, imag))
        case {"dtype": dtype, "shape": shape, "masked": masked}:
            return f"{dtype} {tuple(shape)}  masked {masked}"
        case {"kind": kind, "parts": parts}:
            return f"{kind} of {parts}"
        case _:
            return str(leaf["text"])


def _array_text(leaf: Leaf) -> str:
    facts = []
    if leaf["mean"] is not None:
        least, most, mean = (number_text(leaf[fact]) for fact in ("least", "most", "mean"))
        facts += [least if least == most else f"{least} to {most}", f"mean {mean}"]
    if leaf["inexact"]:
        facts.append(f"NaN {leaf['nan']}")
    return "  ".join(part for part in (f"{leaf['dtype']} {tuple(leaf['shape'])}", ", ".join(facts)) if part)


def sample_text(sample: Sample) -> str:
    """Write a value in one line."""
    return leaf_text(sample.leaves.get(""))


def unseen_text(samples: Iterable[Sample]) -> str:
    """Say of values that are found to be the same what of them was not compared; nothing when all was."""
    every = [list(sample.leaves.items()) for sample in samples]
    told = [
        _unseen(every, "repr", "part is known by its repr only", "parts are known by their repr only"),
        _unseen(every, "cut", "part is not looked into", "parts are not looked into"),
    ]
    return ", ".join(part for part in told if part)


def _unseen(samples: Sequence[Sequence[tuple[str, Leaf]]], mark: str, one: str, many: str) -> str:
    """Count the parts with a mark, and name the first."""
    counts = [[(path, leaf.get("unseen", {}).get(mark, 0)) for path, leaf in sample] for sample in samples]
    marked = [[(path, number) for path, number in parts if number] for parts in counts]
    most = max(marked, key=lambda parts: sum(number for _, number in parts), default=[])
    if not most:
        return ""
    count, first = sum(number for _, number in most), most[0][0]
    shown = first if len(first) <= _PATH_SHOWN else f"{first[: _PATH_SHOWN - 1]}…"
    where = f" ({shown}{', …' if len(most) > 1 else ''})" if first else ""
    return f"{count} {one if count == 1 else many}{where}"


def difference_lines(differences: Sequence[Difference], other: str) -> list[str]:
    """Write what differs, by path.

    Args:
        differences: `there` is the value that is spoken of, `here` the one that it differs from.
        other: Who has that one: `@a`.
    """
    lines: list[str] = []
    for difference in differences[:LISTED]:
        lines += _lines(difference, other)
    if len(differences) > LISTED:
        lines.append(f"… {len(differences) - LISTED} more parts differ")
    return lines


def _lines(difference: Difference, other: str) -> list[str]:
    path = f"{difference.path}  " if difference.path else ""
    place = _place(difference, other)
    here, there = difference.here, difference.there
    if not path:  # the value itself stands above
        kinds = _kinds(here, there)
        return [line for line in (place or (f"{kinds}; {other} {leaf_text(here)}" if kinds else ""),) if line]
    if place and here is not None and there is not None:
        return [f"{path}{leaf_text(there)}", f"{' ' * len(path)}{place}"]
    kinds = _kinds(here, there)
    told = f"{leaf_text(there)} ({kinds})" if kinds else leaf_text(there)
    return [f"{path}{told}; {other} {leaf_text(here)}"]


def _place(difference: Difference, other: str) -> str:
    if difference.why:
        return difference.why
    if difference.index is None:
        return ""
    here, there = difference.values
    return f"first at [{', '.join(map(str, difference.index))}]: {there}; {other} {here}"


def _kinds(here: Leaf | None, there: Leaf | None) -> str:
    """Say of two leaves of different types which one this is."""
    if here is None or there is None or here["kind"] == there["kind"]:
        return ""
    return str(there["kind"])


def spread_lines(groups: Sequence[Group]) -> list[str]:
    """Write statistics over the ranks, of values that are one number or one array each; nothing for others."""
    leaves = [(sample.ranks, sample.leaves.get("")) for group in groups for sample in group.samples]
    counted = sum(len(ranks) for ranks, _ in leaves)
    if len(leaves) < 2 or any(leaf is None for _, leaf in leaves):
        return []
    present = [(ranks, leaf) for ranks, leaf in leaves if leaf is not None]
    if all(leaf["kind"] == "array" for _, leaf in present):
        parts = [_extreme("min", _facts(present, "least"), min), _extreme("max", _facts(present, "most"), max)]
        parts.append(_means(present))
        parts += [f"NaN on {ranks}" for ranks in [union(r for r, leaf in present if leaf["nan"])] if ranks]
    else:
        parts = _of_numbers(present)
    told = ", ".join(part for part in parts if part)
    return [f"over {counted} ranks: {told}"] if told else []


def _extreme(name: str, known: Sequence[tuple[float, RankSet]], of: Callable[[Iterable[float]], float]) -> str:
    if not known:
        return ""
    value = of(number for number, _ in known)
    return f"{name} {number_text(value)} ({union(ranks for number, ranks in known if number == value)})"


def _facts(leaves: Sequence[tuple[RankSet, Leaf]], fact: str) -> list[tuple[float, RankSet]]:
    return [(float(leaf[fact]), ranks) for ranks, leaf in leaves if leaf[fact] is not None]


def _means(leaves: Sequence[tuple[RankSet, Leaf]]) -> str:
    known = [mean for mean, _ in _facts(leaves, "mean")]
    if not known:
        return ""
    least, most = number_text(min(known)), number_text(max(known))
    return f"mean {least}" if least == most else f"means {least} to {most}"


def _of_numbers(leaves: Sequence[tuple[RankSet, Leaf]]) -> list[str]:
    numbers = [(_number(leaf), ranks) for ranks, leaf in leaves]
    if any(number is None for number, _ in numbers):
        return []
    known = [(number, ranks) for number, ranks in numbers if number is not None and number == number]  # noqa: PLR0124 - NaN
    nan = union(ranks for number, ranks in numbers if number != number)  # noqa: PLR0124 - NaN
    parts = [f"NaN on {nan}"] if nan else []
    if not known:
        return parts
    count = sum(len(ranks) for _, ranks in known)
    mean = sum(number * len(ranks) for number, ranks in known) / count
    variance = sum((number - mean) * (number - mean) * len(ranks) for number, ranks in known) / count  # `**` raises
    shown = [_extreme("min", known, min), _extreme("max", known, max), f"mean {number_text(mean)}"]
    return [*shown, f"deviation {number_text(variance**0.5)}", *parts]


def _number(leaf: Leaf) -> float | None:
    if leaf["kind"] == "float":
        return float(leaf["value"])
    number = float(leaf["text"]) if leaf["kind"] == "int" else math.inf
    return None if math.isinf(number) else number
