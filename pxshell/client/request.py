"""One request of a client, and what came back for it."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from pxshell.protocol.account import Account
from pxshell.protocol.message import Message
from pxshell.protocol.outlet import CUTTABLE, extent_of
from pxshell.protocol.pending import is_reply
from pxshell.ranks import RankSet
from pxshell.rendezvous.limits import SizeLimits

__all__ = ["Request"]


class Request:
    """A request in flight, or answered.

    Filled by the client's io thread; everything public may be read in any thread.

    Args:
        id: of the message that was sent.
        targets: who is asked.
        on_message: called with every message that belongs to it.
        file_of: the log that has the full text of these ranks.
        limit: bytes of text and pictures that are kept; what comes after is shown live, and is in the ranks' logs.
    """

    def __init__(
        self,
        id: str,  # noqa: A002
        targets: RankSet,
        on_message: Callable[[Message], None] | None = None,
        file_of: Callable[[RankSet], str] = str,
        limit: int = SizeLimits().view,
    ) -> None:
        self.id = id
        self.targets = targets
        #: What came for it, as folded by the tree, in the order of arrival.
        self.messages: list[Message] = []
        self._account = Account(targets)
        self._on_message = on_message
        self._changed = threading.Condition()
        self._since = time.monotonic()
        self._until: float | None = None
        self._forgotten = False
        self._file_of = file_of
        self._limit = limit
        self._kept = 0
        #: What was cut last, while nothing else has come since.
        self._cut: Message | None = None

    @property
    def account(self) -> Account:
        """Who has answered, and who never will."""
        return self._account

    @property
    def done(self) -> bool:
        """Whether every target is accounted for."""
        return self._account.done

    @property
    def elapsed(self) -> float:
        """Seconds until every target was accounted for; until now, while that is not so."""
        return (time.monotonic() if self._until is None else self._until) - self._since

    @property
    def is_forgotten(self) -> bool:
        """Whether nobody waits for it any more: what comes is news for subscribers."""
        return self._forgotten

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until every target is accounted for; False after `timeout` seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: self._account.done, timeout)

    def replies(self) -> list[tuple[RankSet, dict[str, Any]]]:
        """Return the contents of all replies, equal ones folded, those of most ranks first."""
        folded: dict[bytes, RankSet] = defaultdict(RankSet)
        for message in list(self.messages):
            if is_reply(message) and message.type != "px_missing":
                folded[message.content] |= message.ranks
        contents = {message.content: message for message in self.messages}
        order = sorted(folded.items(), key=lambda item: (-len(item[1]), item[1].first))
        return [(ranks, contents[content].data()) for content, ranks in order]

    def forget(self) -> None:
        """Let it run on: what comes from now on goes to the client's subscribers."""
        self._forgotten = True

    # -- the client's io thread ----------------------------------------------------------------------------------------

    def take(self, message: Message) -> None:
        """Take one message that belongs to it."""
        account = self._account
        if message.type == "px_missing":
            account = account.lose(message.ranks, str(message.data().get("why", "")))
        elif message.type == "px_denied":
            account = account.lose(self.targets, str(message.data().get("why", "")))
        elif is_reply(message):
            account = account.answer(message.ranks)
        with self._changed:
            self._keep(message)
            self._account_is(account)
        if self._on_message is not None and not self._forgotten:
            self._on_message(message)

    def _keep(self, message: Message) -> None:
        """Add to `messages`; above the limit a `px_cut` stands for text and pictures (P2, P7)."""
        if message.type not in CUTTABLE:
            self.messages.append(message)
            self._cut = None
            return
        self._kept += message.size
        if self._kept <= self._limit:
            self.messages.append(message)
            return
        before = self._cut
        known = before.data() if before is not None else {"bytes": 0, "lines": 0}
        size, lines = extent_of(message)
        ranks = message.ranks if before is None else message.ranks | before.ranks
        content = {"bytes": known["bytes"] + size, "lines": known["lines"] + lines, "file": self._file_of(ranks)}
        cut_id = f"cut-{message.id}" if before is None else before.id
        self._cut = Message.make("px_cut", cut_id, content, ranks=ranks, parent=self.id, origin=message.header.origin)
        if before is None:
            self.messages.append(self._cut)
        else:
            self.messages[-1] = self._cut

    def lose(self, ranks: RankSet, why: str) -> None:
        """Account for ranks that are gone."""
        with self._changed:
            self._account_is(self._account.lose(ranks, why))

    def _account_is(self, account: Account) -> None:
        self._account = account
        if account.done and self._until is None:
            self._until = time.monotonic()
        self._changed.notify_all()
