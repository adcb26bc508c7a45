"""Who has answered a request, and who never will: every target ends accounted for (P3)."""

from __future__ import annotations

from dataclasses import dataclass

from pxshell.ranks import EMPTY, RankSet

__all__ = ["Account"]


@dataclass(frozen=True, slots=True)
class Account:
    """The account of one request, as a value.

    A rank that was given up as missing and answers all the same is answered: the later word counts.
    """

    targets: RankSet
    answered: RankSet = EMPTY
    #: Ranks that will not answer, each set with one line that says why; one set for each reason.
    missing: tuple[tuple[RankSet, str], ...] = ()

    @property
    def pending(self) -> RankSet:
        """Targets that are not accounted for yet."""
        return self.targets - self.answered - self.lost

    @property
    def lost(self) -> RankSet:
        """All missing ranks."""
        ranks = EMPTY
        for part, _ in self.missing:
            ranks |= part
        return ranks

    @property
    def done(self) -> bool:
        """Whether every target is accounted for."""
        return not self.pending

    def answer(self, ranks: RankSet) -> Account:
        """Return the account after replies of these ranks."""
        missing = tuple((rest, why) for part, why in self.missing if (rest := part - ranks))
        return Account(self.targets, self.answered | (ranks & self.targets), missing)

    def lose(self, ranks: RankSet, why: str) -> Account:
        """Return the account once it is known that these ranks will not answer; only pending ones change."""
        gone = ranks & self.pending
        if not gone:
            return self
        reasons = {reason: part for part, reason in self.missing}
        reasons[why] = reasons.get(why, EMPTY) | gone
        return Account(self.targets, self.answered, tuple((part, reason) for reason, part in reasons.items()))
