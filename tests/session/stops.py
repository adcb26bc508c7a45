"""Ranks of a scripted client that stand where a simulation does."""

PLACE = {"file": "/home/me/sim.py", "line": 87, "function": "main"}


def stop_at(client, ranks, pause, value=None, **more):
    """Let ranks have stopped in a pause."""
    client.set_state(ranks, activity="paused", cell="run", pause=pause, value=value, **{**PLACE, **more})
