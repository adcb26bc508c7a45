"""Events as JSON, one object a line, for programs: at least `ranks`, `type` and `text` in each."""

from __future__ import annotations

import json
import math
from typing import Any

from pxshell.ranks import EMPTY, RankSet
from pxshell.render.branching import branches_of
from pxshell.render.events import (
    Answer,
    CellAnswers,
    Comparison,
    Cut,
    Event,
    Failure,
    Listing,
    Missing,
    Notice,
    Plot,
    Refusal,
    Stacks,
    Stands,
    States,
    Text,
)
from pxshell.render.grouping import by_majority

__all__ = ["to_json"]


def to_json(event: Event) -> str:
    """Return whole lines, one for each object; "" when there is nothing to say."""
    return "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in _objects(event))


def _objects(event: Event) -> list[dict[str, Any]]:
    match event:
        case CellAnswers():
            parts: list[Answer | Failure | Refusal | Missing] = [*by_majority(event.answers)]
            parts += [*by_majority(event.failures), *by_majority(event.refusals), *by_majority(event.missing)]
            return [one | {"cell": event.cell} for part in parts for one in _objects(part)]
        case States():
            return [_object(ranks, "px_state", where, state=state) for ranks, state, where in event.rows]
        case Comparison():
            groups = [
                _object(
                    one.ranks, "px_compared", one.text, letter=one.letter, odd=one.is_odd, details=list(one.details)
                )
                for one in event.groups
            ]
            return [*groups, *(_object(EMPTY, "px_notice", note, level="info") for note in event.notes)]
        case Plot():
            return [
                _object(one.ranks, "px_plot", event.title, shape=list(one.picture.shape), place=list(one.place))
                | {"values": [[x if math.isfinite(x) else str(x) for x in row] for row in one.picture.rows]}
                for one in event.panels
            ]
        case Stacks():
            return [*_stack_objects(event), *(_single(Missing(ranks, why)) for ranks, why in event.tree.failed)]
        case Stands():
            return [_object(one.ranks, "px_state", one.place, source=one.source, state=one.word) for one in event.rows]
        case Listing():
            rows = [list(row) for row in event.rows]
            return [_object(event.ranks, "px_listing", event.title, rows=rows, marked=event.marked)]
        case _:
            return [_single(event)]


def _stack_objects(event: Stacks) -> list[dict[str, Any]]:
    letters = dict(zip(map(str, branches_of(event.tree)), event.letters, strict=False))
    objects = []
    for stack in event.tree.stacks():
        places = [f"{frame.function} {frame.file}:{frame.line}" for frame in stack.frames]
        facts: dict[str, Any] = {"letter": letters.get(str(stack.ranks), ""), "odd": stack.ranks <= event.odd}
        facts |= {"frames": [[one.file, one.line, one.function] for one in stack.frames], "waits": stack.end.text}
        values = {name: said for name, groups in event.values if (said := _values_on(stack.ranks, groups))}
        text = " > ".join([*places, *([stack.end.text] if stack.end.text else [])])
        objects.append(_object(stack.ranks, "px_stacks", text, **facts, **({"values": values} if values else {})))
    return objects


def _values_on(ranks: RankSet, groups: tuple[tuple[RankSet, str], ...]) -> dict[str, str]:
    return {str(some & ranks): text for some, text in groups if some & ranks}


def _single(event: Text | Answer | Failure | Refusal | Missing | Notice | Cut) -> dict[str, Any]:
    match event:
        case Text():
            return _object(event.ranks, "stream", event.text, name=event.name)
        case Answer():
            return _object(event.ranks, event.type, event.text, data=dict(event.data))
        case Failure():
            facts = {"ename": event.ename, "evalue": event.evalue, "place": event.place, "source": event.source}
            return _object(event.ranks, "error", event.summary, **facts)
        case Refusal():
            return _object(event.ranks, "execute_reply", event.why, status="refused")
        case Missing():
            return _object(event.ranks, "px_missing", event.why)
        case Notice():
            return _object(event.ranks, "px_notice", event.text, level=event.level)
        case Cut():
            return _object(event.ranks, "px_cut", "", bytes=event.bytes, lines=event.lines, file=event.file)


def _object(ranks: RankSet, type_: str, text: str, **facts: Any) -> dict[str, Any]:
    return {"ranks": str(ranks), "type": type_, "text": text, **facts}
