"""The focus of a session, and the names that rank sets have in it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from string import ascii_lowercase

from pxshell.protocol.state import Activity, Liveness
from pxshell.ranks import EMPTY, Context, Mesh, RankSet, check_name, parse, parse_focus
from pxshell.session.ports import ClientPort

__all__ = ["Focus"]


class Focus:
    """The ranks that input goes to, the user's names, and `@odd` of the last answer."""

    def __init__(self, client: ClientPort) -> None:
        self._client = client
        self.ranks = client.ranks
        self.names: dict[str, RankSet] = {}
        #: Ranks outside the majority of the last answer; empty when it had none, None before the first answer.
        self.odd: RankSet | None = None
        self._letters: dict[str, RankSet] = {}
        #: The axes along which ranks are arranged; the cluster's, until the user sets another.
        self.mesh = Mesh.parse(client.snapshot.mesh) if client.snapshot.mesh else None

    def context(self) -> Context:
        """Return what the words of a rank set mean at this moment."""
        names: dict[str, RankSet | Callable[[], RankSet]] = {str(name): self._state(name) for name in _STATES}
        names.update(self.names)
        names.update(self._letters)
        if self.odd is not None:
            names["odd"] = self.odd
        hosts = self._client.snapshot.hosts
        return Context(self._client.ranks, names, hosts, _locals_of(hosts.values()), self.mesh)

    def parse(self, text: str) -> RankSet:
        """Read a rank set; `RankSetError` when it cannot be read or is empty."""
        return parse(text, self.context())

    def set(self, text: str) -> None:
        """Set the focus: ranks, `+RANKS` or `-RANKS`; it stays when that is refused."""
        self.ranks = parse_focus(text, self.context(), self.ranks)

    def name(self, name: str, text: str) -> RankSet:
        """Give ranks a name of the user's."""
        check_name(name)
        ranks = self.parse(text)
        self.names[name] = ranks
        return ranks

    def letter(self, groups: Sequence[RankSet]) -> list[str]:
        """Give the groups that are about to be printed the letters a, b, ...; those of the last print are forgotten.

        Returns the letter of each group; "" for those beyond the 26th.
        """
        letters = [*ascii_lowercase, *[""] * len(groups)][: len(groups)]
        self._letters = {letter: ranks for letter, ranks in zip(letters, groups, strict=True) if letter}
        return letters

    def arrange(self, text: str) -> None:
        """Arrange the ranks in a mesh, `dp=2,tp=4`; "" is none. `RankSetError` when it has not as many ranks."""
        self.mesh = Mesh.parse(text).check_size(self._client.snapshot.size) if text.strip() else None

    def describe(self) -> str:
        """Return the line that shows the focus."""
        world = self._client.ranks
        return f"focus: {self.ranks}" if self.ranks == world else f"focus: {self.ranks} (of {world})"

    def _state(self, name: str) -> Callable[[], RankSet]:
        return lambda: self._client.states.where(name)


_STATES = (*Activity, *Liveness)


def _locals_of(hosts: Iterable[RankSet]) -> dict[int, RankSet]:
    """Number the ranks of each machine from 0, for `local=0`."""
    numbered: dict[int, RankSet] = {}
    for ranks in hosts:
        for number, rank in enumerate(ranks):
            numbered[number] = numbered.get(number, EMPTY) | RankSet.of(rank)
    return numbered
