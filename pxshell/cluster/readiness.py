"""Waiting for the ranks of a new cluster: until all are there, or until it is known that one will not come."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from pxshell.errors import DeadlineError, LaunchError, RefusedError
from pxshell.protocol.message import Message
from pxshell.protocol.state import RankState
from pxshell.ranks import RankSet

if TYPE_CHECKING:
    from pxshell.client import Client
    from pxshell.client.request import Request

__all__ = ["restart_ranks", "wait_for_joined", "wait_for_ranks"]


def wait_for_ranks(client: Client, seconds: float, *, is_held: bool = False, may_end: bool = False) -> None:
    """Wait until every rank can be asked.

    Args:
        client: connected to a cluster that was just started.
        seconds: that it may take.
        is_held: user code waits for a front end; until then the ranks are there and starting.
        may_end: a script runs already, and may be over before we look.

    Raises:
        LaunchError: a rank ended, or the node says why one does not come.
        DeadlineError: ranks are missing after that time.
    """
    news = threading.Event()
    # Nobody has said anything about a new cluster but what went wrong.
    faults = list(client.snapshot.notes)

    def heard(message: Message) -> None:
        if message.type == "px_notice" and message.data().get("level") == "error":
            faults.append(str(message.data().get("text", "")))
        news.set()

    unsubscribe = client.subscribe(heard)
    try:
        end = time.monotonic() + seconds
        while missing := client.ranks - client.states.ranks if is_held else _missing(client):
            if faults:
                raise LaunchError(faults[0])
            if not news.wait(max(0.0, end - time.monotonic())):
                raise DeadlineError("start all ranks", seconds, f"rank{'s' if len(missing) > 1 else ''} {missing}")
            news.clear()
    finally:
        unsubscribe()
    if not may_end:
        _check_alive(client)


def wait_for_joined(client: Client, ranks: RankSet, seconds: float) -> None:
    """Wait until the node has connected to ranks that somebody else started; those of other machines may follow.

    Raises:
        DeadlineError: none of them is there after that time.
    """
    client.wait_until(lambda: ranks <= client.states.ranks, seconds)
    if not client.states.ranks:
        raise DeadlineError(f"attach to {client.name}", seconds, f"ranks {ranks}")


def restart_ranks(client: Client, seconds: float) -> None:
    """Start all ranks anew and wait until the new processes are there.

    Raises:
        RefusedError: pxshell did not start them, so it cannot; or this client only watches.
        DeadlineError: ranks are missing after that time.
    """
    renewed = RankSet()
    news = threading.Event()

    def heard(message: Message) -> None:
        nonlocal renewed
        # Only a new process says so: the old ones have started long ago.
        if message.type == "px_state" and _is_new(RankState.from_content(message.data())):
            renewed |= message.ranks
        news.set()

    def wait_while(missing: Callable[[], RankSet]) -> None:
        while ranks := missing():
            if not news.wait(max(0.0, end - time.monotonic())):
                raise DeadlineError("restart all ranks", seconds, f"ranks {ranks}")
            news.clear()

    unsubscribe = client.subscribe(heard)
    try:
        end = time.monotonic() + seconds
        _check_accepted(client.request("px_restart_request", {}, client.ranks), seconds)
        wait_while(lambda: client.ranks - renewed)
        # Ranks of `pxshell run` wait for a front end each time they start; it is here. Others take no notice.
        client.request("px_start_request", {}, client.ranks)
        wait_while(lambda: _missing(client))
    finally:
        unsubscribe()


def _is_new(state: RankState) -> bool:
    return state.is_alive and state.activity == "starting"


def _check_accepted(request: Request, seconds: float) -> None:
    if not request.wait(seconds):
        raise DeadlineError("restart all ranks", seconds)
    for message in request.messages:
        if message.type == "px_denied":
            raise RefusedError(f"not restarted: {message.data().get('why')}")
    for ranks, content in request.replies():
        if content.get("status") != "ok":
            raise RefusedError(f"not restarted: {content.get('why')}", ranks)


def _missing(client: Client) -> RankSet:
    return client.ranks - client.states.ranks | client.states.where("starting")


def _check_alive(client: Client) -> None:
    for ranks, state in client.states.groups():
        if not state.is_alive:
            raise LaunchError(f"ranks {ranks} have ended at their start ({state.why or f'exit status {state.exit}'})")
