"""Editors on ranks: ports of this machine behind which ranks can be debugged, and launch.json."""

from __future__ import annotations

import getpass
import socket
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial, reduce
from operator import or_
from pathlib import Path
from typing import cast

from pxshell.debug.bridge import Bridge, OpenStream
from pxshell.debug.children import Children
from pxshell.debug.conversation import Conversation
from pxshell.debug.doing import word_of
from pxshell.debug.launch_json import Adapter, Entry, Written, configuration, write_entries
from pxshell.debug.listener import Listener
from pxshell.debug.loop import LoopThread
from pxshell.debug.relay import Relay
from pxshell.debug.stale_entries import entry_name
from pxshell.debug.together import Together
from pxshell.errors import PermissionDeniedError, UsageError
from pxshell.ranks import EMPTY, RankSet
from pxshell.render.events import Level
from pxshell.rendezvous.connection import connection_path
from pxshell.rendezvous.names import is_cluster_name
from pxshell.session.answers import clean
from pxshell.session.desk import Desk
from pxshell.session.other_editors import debugged, let_go, wait_free, who_holds

__all__ = ["DEFAULT_IDLE_S", "AttachOptions", "Debuggee", "Editors", "check_debuggable", "who_debugs"]

#: Seconds after which a port to which no editor has come closes.
DEFAULT_IDLE_S = 3600.0
#: Seconds within which a rank is free, or something is wrong with it, once its editor has been ended.
_FREE_S = 2.0


@dataclass(frozen=True, slots=True)
class AttachOptions:
    """How ranks are offered to an editor.

    Attributes:
        port: Of this machine; of several ranks the first one's, the others follow. 0 lets the system choose.
        write: Add or update the entries of `.vscode/launch.json` in the working directory.
        stdio: Entries with which the editor starts the debug adapter itself; no port opens.
        idle_s: Seconds without an editor after which a port closes.
        together: One port for all of them: one session of the editor, in which each rank is a thread.
        sessions: One port for all of them: a session of the editor that starts one for each rank (startDebugging).
        lockstep: In such a session continue, steps and pause act on all ranks.
    """

    port: int = 0
    write: bool = False
    stdio: bool = False
    idle_s: float = DEFAULT_IDLE_S
    together: bool = False
    sessions: bool = False
    lockstep: bool = False


@dataclass(eq=False)
class _Offer:
    """A port that is open, and whom it leads to."""

    ranks: RankSet
    options: AttachOptions
    listener: Listener


class Editors:
    """The ports of one session; for the face's thread."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._thread = LoopThread()
        self._offers: list[_Offer] = []
        #: What the sessions of single ranks attach with, for the one that starts them.
        self._children: dict[int, dict[str, object]] = {}

    def attach(self, ranks: RankSet, options: AttachOptions) -> dict[int, int]:
        """Offer ranks to editors; see `Session.attach_editor`."""
        found = check_debuggable(self._desk, ranks)
        if options.stdio:
            self._write_adapters(ranks, options, found)
            return {}
        self._forget_closed()
        roots = {rank: one.root for rank, one in found.items()}
        before = list(self._offers)
        try:
            ports = self._offer_all(ranks, roots, options)
            entries = [Entry(self._name(some), port, roots.get(some.first, "")) for some, port in ports.items()]
            written = self._write(entries, ranks) if options.write else None
        except UsageError:
            for offer in [one for one in self._offers if one not in before]:
                self._close(offer, "it could not be offered")
            raise
        self._tell(ranks, ports, written)
        return {rank: port for some, port in ports.items() for rank in some}

    def _write_adapters(self, ranks: RankSet, options: AttachOptions, found: Mapping[int, Debuggee]) -> None:
        """Let the editor start what leads to the ranks."""
        sets = [ranks] if options.together else [RankSet.of(rank) for rank in ranks]
        entries = []
        for some in sets:
            words = ["debug", str(some), *_flags(options)]
            adapter = Adapter(sys.executable, _adapter_code(self._desk.client.name, words), found[some.first].pid)
            entries.append(Entry(self._name(some), adapter, found[some.first].root))
        written = self._write(entries, ranks)
        then = f'VS Code: Run and Debug, "{self._name(ranks)}" ({_where(written)})'
        end = f"End: %pxdebug detach {ranks}"
        self._desk.say(f"{ranks}: an editor may start its own way there, without a port.  {then}.  {end}", ranks=ranks)

    def _write(self, entries: list[Entry], ranks: RankSet) -> Written:
        """Write launch.json in the working directory."""
        exists = lambda name: name == self._desk.client.name or _has_connection(name)  # noqa: E731
        return write_entries(Path.cwd(), entries, self._name(ranks), exists)

    def _offer_all(self, ranks: RankSet, roots: Mapping[int, str], options: AttachOptions) -> dict[RankSet, int]:
        """Open the ports that the editor is to know; return the ranks behind each."""
        singles = [RankSet.of(rank) for rank in ranks]
        if options.sessions:
            own = {some: self._offer(some, 0, replace(options, port=0, sessions=False)) for some in singles}
            for some, port in own.items():
                entry = Entry(self._name(some), port, roots.get(some.first, ""))
                self._children[some.first] = configuration(entry)
        sets = [ranks] if options.together or options.sessions else singles
        wanted = [options.port + index if options.port else 0 for index in range(len(sets))]
        return {some: self._offer(some, port, options) for some, port in zip(sets, wanted, strict=True)}

    def _offer(self, ranks: RankSet, port: int, options: AttachOptions) -> int:
        """Return the port of these ranks: the one that is open already, if it is not another that is asked for."""
        kept = replace(options, port=0, write=False)
        held = next((one for one in self._offers if one.ranks == ranks and one.options == kept), None)
        if held is not None and port in (0, held.listener.port):
            return held.listener.port
        for other in [one for one in self._offers if one.ranks == ranks and _shape(one.options) == _shape(kept)]:
            self._close(other, "it is offered anew")
        make = partial(self._bridge, ranks, options)
        say = partial(self._say, ranks)
        loop = self._thread.loop
        try:
            listener = self._thread.call(lambda: Listener(loop, port, make, say, options.idle_s))
        except OSError as error:
            raise UsageError(f"port {port} cannot be had: {error.strerror}; choose another: --port P") from error
        self._offers.append(_Offer(ranks, kept, listener))
        self._desk.offered |= ranks
        return listener.port

    def _bridge(
        self, ranks: RankSet, options: AttachOptions, open_stream: OpenStream, ended: Callable[[str], None]
    ) -> Bridge:
        """Join an editor that has come with its ranks; in the loop's thread."""
        client = self._desk.client
        conversation: Conversation
        doing = lambda rank: word_of(client.states.of(rank))  # noqa: E731
        if options.sessions:
            conversation = Children({rank: self._children[rank] for rank in ranks})
            ranks = EMPTY
        elif options.together:
            conversation = Together(ranks, client.name, _is_here, doing, lockstep=options.lockstep)
        else:
            conversation = Relay(ranks.first, client.name, _is_here, doing)
        return Bridge(self._thread.loop, client, ranks, who_debugs(), conversation, open_stream, ended)

    def _say(self, ranks: RankSet, text: str, level: str) -> None:
        self._desk.say(f"{ranks}: {clean(text)}", cast("Level", level), ranks)

    # What people read.

    def _name(self, ranks: RankSet) -> str:
        return entry_name(ranks, self._desk.client.name)

    def _tell(self, ranks: RankSet, ports: Mapping[RankSet, int], written: Written | None) -> None:
        told = RankSet(ports.values())
        name = self._name(ranks)
        if written is not None:
            then = f'VS Code: Run and Debug, "{name}" ({_where(written)})'
        else:
            then = "VS Code: once more with --write, then Run and Debug"
        self._desk.say(f"{ranks}: editors may attach to 127.0.0.1:{told}.  {then}.  End: %pxdebug detach", ranks=ranks)
        if any(one.listener.is_one_time for one in self._offers if one.ranks & ranks):
            why = "this system does not say whose a connection is: each port takes one connection, then closes"
            self._desk.say(why, "warning", ranks)

    # The end.

    def detach(self, ranks: RankSet | None) -> RankSet:
        """Close ports, and let ranks go; see `Session.detach_editor`."""
        self._forget_closed()
        held = [one for one in self._offers if ranks is None or one.ranks & ranks]
        served = reduce(or_, (one.ranks for one in self._offers if one.listener.has_editor), EMPTY)
        others = debugged(self._desk) - served
        if not held and (ranks is None or not ranks & others):
            raise UsageError(self._nothing_open(ranks, others))
        detached = EMPTY
        for offer in held:
            self._close(offer, "detached here")
            detached |= offer.ranks
        if not self._offers:
            self._thread.close()
        wait_free(self._desk, served & detached, _FREE_S)
        if detached:
            self._desk.say(f"{detached}: no editor may attach any more", ranks=detached)
        if ranks is not None and ranks & others:
            return detached | self._end_others(ranks & others)
        if others:
            self._desk.say(
                f"{who_holds(self._desk, others)}, another way.  End: %pxdebug detach {others}", ranks=others
            )
        return detached

    def _nothing_open(self, ranks: RankSet | None, others: RankSet) -> str:
        if ranks is not None or not others:
            return "no port for editors is open" + (f" for {ranks}" if ranks is not None else "")
        holders = who_holds(self._desk, others)
        return f"this front end has no port for editors; {holders}, another way: %pxdebug detach {others} ends that"

    def _end_others(self, ranks: RankSet) -> RankSet:
        """End the editors on ranks to which we have no port; returns the ranks that are free."""
        holders = who_holds(self._desk, ranks)
        still = let_go(self._desk, ranks, f"detached by {who_debugs()}")
        if still:
            limit = self._desk.config.control_deadline
            self._desk.say(f"{still}: not let go within {limit:g} s; see %pxstatus", "warning", still)
        if free := ranks - still:
            self._desk.say(f"{free} let go.  Before: {holders}", ranks=free)
        return free

    def _close(self, offer: _Offer, why: str) -> None:
        self._offers.remove(offer)
        self._thread.call(partial(offer.listener.close, why))
        self._tell_offered()

    def _forget_closed(self) -> None:
        self._offers = [one for one in self._offers if one.listener.is_open or one.listener.has_editor]
        self._tell_offered()

    def _tell_offered(self) -> None:
        offered = EMPTY
        for offer in self._offers:
            offered |= offer.ranks
        self._desk.offered = offered

    def close(self) -> None:
        """Close everything, and end the thread."""
        for offer in list(self._offers):
            self._close(offer, "the front end has gone")
        self._thread.close()


@dataclass(frozen=True, slots=True)
class Debuggee:
    """A rank that can be debugged.

    Attributes:
        pid: Its process, on its machine.
        root: The folder of its files, if this machine has none of that name; else "".
    """

    pid: int
    root: str


def check_debuggable(desk: Desk, ranks: RankSet) -> dict[int, Debuggee]:
    """Check that we may debug these ranks and that they have debugpy; return what they are.

    Raises:
        PermissionDeniedError: this client only watches.
        UsageError: a rank is gone, or has no debugpy.
    """
    if desk.client.role != "operator":
        raise PermissionDeniedError("debug a rank")
    gone = ranks - desk.client.states.alive()
    if gone:
        raise UsageError(f"nothing to debug: {gone} {'is' if len(gone) == 1 else 'are'} gone; see %pxstatus")
    limit = desk.config.control_deadline
    request = desk.control("px_debug_prepare_request", {}, ranks, limit)
    found: dict[int, Debuggee] = {}
    refused = [(who, str(why)) for who, why in request.account.missing]
    for who, content in request.replies():
        if content.get("status") != "ok":
            refused.append((who, str(content.get("why") or "it refused")))
        else:
            root = str(content.get("root") or "")
            debuggee = Debuggee(int(content.get("pid") or 0), "" if Path(root).is_dir() else root)
            found |= dict.fromkeys(who, debuggee)
    if pending := request.account.pending:
        refused.append((pending, f"no answer within {limit:g} s"))
    if refused:
        raise UsageError("not attached: " + "; ".join(f"{who}: {clean(why)}" for who, why in refused))
    return found


def who_debugs() -> str:
    """Say who we are, to those whom a rank refuses because of us."""
    return f"{getpass.getuser()}@{socket.gethostname()}"


def _flags(options: AttachOptions) -> list[str]:
    return [f"--{name}" for name in ("together", "lockstep") if getattr(options, name)]


def _adapter_code(cluster: str, words: list[str]) -> str:
    """Return the Python that is `pxshell debug`, for a process that has not our environment."""
    path = connection_path(cluster)
    if not path.exists():  # given by $PXSHELL_CONNECT
        words = [words[0], cluster, *words[1:]]
    given = f"import os; os.environ['PXSHELL_CONNECT'] = {str(path)!r}; " if path.exists() else ""
    return f"{given}import sys; from pxshell.cli import main; sys.exit(main({words!r}))"


def _shape(options: AttachOptions) -> bool:
    """Tell what only starts sessions from what debugs: a single rank may have a port for each."""
    return options.sessions


def _is_here(path: str) -> bool:
    return Path(path).exists()


def _has_connection(name: str) -> bool:
    return is_cluster_name(name) and connection_path(name).exists()


def _where(written: Written) -> str:
    """Say which file was written, and what is not in it any more."""
    path = written.path.relative_to(Path.cwd()) if written.path.is_relative_to(Path.cwd()) else written.path
    count = len(written.dropped)
    gone = f", without {count} {'entry' if count == 1 else 'entries'} of clusters that are gone" if count else ""
    return f"in {path}{gone}"
