"""The prompt and the toolbar: focus and states in a few words."""

from __future__ import annotations

from pxshell.protocol.state import WORLD, Activity, RankState
from pxshell.ranks import EMPTY, RankSet
from pxshell.render.events import States
from pxshell.session.answers import clean
from pxshell.session.places import exit_text
from pxshell.session.ports import ClientPort
from pxshell.session.waiting import place_text

__all__ = ["prompt_text", "states_of", "toolbar_text"]


def prompt_text(client: ClientPort, focus: RankSet) -> str:
    """Return the prompt without its `> `: `px[0-3]`, `px[0-3] running`, `px[3] sim.py:87`."""
    words = sorted({_prompt_word(state) for _, state in client.states.among(focus)})
    places = [word for word in words if ":" in word]
    if len(places) > 1:
        stopped = {"failed" if word.startswith("failed ") else "paused" for word in places}
        words = [*sorted(stopped), *(word for word in words if ":" not in word)]
    told = "+".join(word for word in words if word)
    return f"px[{focus}] {told}" if told else f"px[{focus}]"


def _prompt_word(state: RankState) -> str:
    word = state.word
    if word in {"paused", "debugging", "failed"} and state.file:
        place = place_text(state).partition(" in ")[0]
        place = f"{place} up {state.depth}" if state.depth else place
        return f"failed {place}" if word == "failed" else place
    # A cell of ours that was left running shows; an idle rank is what one expects.
    return "" if word == "idle" else word


def toolbar_text(client: ClientPort) -> str:
    """Return one line about all ranks: `sim-1  sim.py  0-1 paused  2-3 held`."""
    words: dict[str, RankSet] = {}
    for ranks, state in client.states.groups():
        word = state.word
        words[word] = words.get(word, EMPTY) | ranks
    told = [f"{ranks} {word}" for word, ranks in words.items()]
    return "  ".join(part for part in (client.name, client.snapshot.script, *told) if part)


def states_of(client: ClientPort) -> States:
    """Return the states of all ranks, folded, each with where it is."""
    snapshot = client.snapshot
    ranks = f"{snapshot.size} {'MPI ' if snapshot.mpi else ''}rank{'' if snapshot.size == 1 else 's'}"
    mpi = f" ({snapshot.mpi})" if snapshot.mpi else ""
    script = f", {snapshot.script}" if snapshot.script else ""
    rows = tuple((who, state.word, _where(state)) for who, state in client.states.groups())
    return States(f"cluster {client.name}, {ranks}{mpi}{script}", rows)


def _where(state: RankState) -> str:
    if not state.is_alive:
        return (
            f"{exit_text(state)}, at {place_text(state)}" if state.file and state.reason == WORLD else exit_text(state)
        )
    step = f", value {state.value}" if state.value is not None else ""
    why = f": {clean(state.why)}" if state.activity is Activity.FAILED else ""
    return f"{place_text(state)}{step}{why}" if state.file else state.why
