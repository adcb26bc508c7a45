"""Staying with a script until its ranks have ended, and the exit status of the worst of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pxshell.cli.exits import EXIT_FAILED
from pxshell.cli.showing import StreamDisplay
from pxshell.errors import LinkLostError
from pxshell.protocol.state import StateTable

if TYPE_CHECKING:
    from pxshell.client import Client

__all__ = ["follow", "start_scripts", "wait_for_end", "worst_status"]

_START_S = 10.0
_STATUS_S = 2.0


def follow(client: Client, *, as_json: bool = False) -> int:
    """Show what the script says until it has ended everywhere; return the status of the worst rank.

    No `breakpoint()` waits for us: nobody could answer it.
    """
    from pxshell.session import Session

    display = StreamDisplay(as_json=as_json)
    display.world = client.ranks
    client.ask("px_attend_request", {"watch": True})
    with Session(client, display):
        start_scripts(client)
        return wait_for_end(client)


def start_scripts(client: Client) -> None:
    """Let user code start on ranks that wait for a front end; others take no notice."""
    client.request("px_start_request", {}, client.ranks).wait(_START_S)


def wait_for_end(client: Client) -> int:
    """Wait until no rank runs any more.

    Raises:
        LinkLostError: the controller is gone, so nobody says how the ranks ended.
    """
    if not client.wait_until(lambda: _have_ended(client), None):
        raise LinkLostError(f"cluster {client.name}", "its controller has gone before the ranks")
    # A link is lost before its process is reaped: until then nobody knows the status.
    client.wait_until(lambda: _is_status_known(client), _STATUS_S)
    return worst_status(client.states)


def worst_status(states: StateTable) -> int:
    """Return the highest exit status; a signal counts as a shell counts it, an unknown end as a failure."""
    return max((_as_shell(state.exit) for _, state in states.groups()), default=0)


def _have_ended(client: Client) -> bool:
    # As shown, not as known: what the ranks said last comes before.
    return client.shown_states.ranks == client.ranks and not client.shown_states.alive()


def _is_status_known(client: Client) -> bool:
    return all(state.exit is not None for _, state in client.states.groups())


def _as_shell(status: int | None) -> int:
    if status is None:
        return EXIT_FAILED
    return status if status >= 0 else 128 - status
