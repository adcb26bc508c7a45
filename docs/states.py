"""Write docs/states.md from the table of a rank's states.

python docs/states.py
"""

from pathlib import Path

from pxshell.protocol.state import TRANSITIONS, Activity, ActivityEvent, Liveness

DOCUMENT = Path(__file__).with_name("states.md")

TEXT = """# The states of a rank

<!-- Written by `python docs/states.py` from `pxshell/protocol/state.py`; a test compares the two. -->

What the main thread of a rank does is its *activity*, which only its engine changes; whether the process is there and
answers is its *liveness* ({liveness}), which node and controller see. A held rank was
asked to pause but waits in C: it stands, and its pending pause falls with the resume. An event that the table lacks
changes nothing and is logged.

```mermaid
{diagram}
```

{table}
"""


def main() -> None:
    """Write the document."""
    DOCUMENT.write_text(document(), encoding="utf-8")


def document() -> str:
    """Return the whole document."""
    liveness = ", ".join(f"`{name}`" for name in Liveness)
    return TEXT.format(liveness=liveness, diagram=diagram(), table=table())


def diagram() -> str:
    """Return the table as a Mermaid state diagram, with one arrow for the exits, which are possible from everywhere."""
    lines = ["stateDiagram-v2", f"    [*] --> {Activity.STARTING}"]
    lines += [
        f"    {before} --> {after}: {event}"
        for (before, event), after in TRANSITIONS.items()
        if event is not ActivityEvent.EXIT
    ]
    lines += [f"    {Activity.IDLE} --> {Activity.ENDED}: {ActivityEvent.EXIT} (from every state)"]
    return "\n".join([*lines, f"    {Activity.ENDED} --> [*]"])


def table() -> str:
    """Return the table: one row for each activity, one column for each event."""
    rows = [["", *ActivityEvent], ["---"] * (len(ActivityEvent) + 1)]
    rows += [
        [f"**{activity}**", *(TRANSITIONS.get((activity, event), "") for event in ActivityEvent)]
        for activity in Activity
    ]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


if __name__ == "__main__":
    main()
