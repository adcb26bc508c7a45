"""Answers of many ranks about the same breakpoints, as one answer."""

from __future__ import annotations

from typing import Any

from pxshell.debug.ids import Ids
from pxshell.ranks import RankSet

__all__ = ["merged_breakpoints"]


def merged_breakpoints(bodies: dict[int, dict[str, Any]], ids: Ids) -> dict[str, Any]:
    """Return the body of one answer: a breakpoint is verified if some rank has it, and says which if not all have."""
    answers = {rank: body.get("breakpoints", []) for rank, body in bodies.items()}
    count = max(map(len, answers.values()), default=0)
    return {"breakpoints": [_merged(answers, index, ids) for index in range(count)]}


def _merged(answers: dict[int, list[dict[str, Any]]], index: int, ids: Ids) -> dict[str, Any]:
    given = {rank: found[index] for rank, found in answers.items() if index < len(found)}
    verified = RankSet(rank for rank, one in given.items() if one.get("verified"))
    asked = RankSet(answers)
    first = verified.first if verified else min(given)
    made = dict(given[first])
    if "id" in made:
        # Numbers of debugpy's breakpoints begin at 0, which means nothing to `Ids`.
        made["id"] = ids.out(first, int(made["id"]) + 1)
    if verified and verified != asked:
        made["message"] = f"on {verified} of {asked}"
    return made
