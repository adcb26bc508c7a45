"""`%pxfocus`, `%pxsignal`, `%pxstatus`, `%pxlog`, `%pxconfig`, `%pxrestart` and `%pxcluster`."""

from __future__ import annotations

import dataclasses
import shlex

from IPython.core.interactiveshell import InteractiveShell
from IPython.core.magic import Magics, line_magic, magics_class, no_var_expand
from pxshell.magics.clusters import cluster_verb
from pxshell.magics.holder import Holder, says_errors
from pxshell.magics.options import CONFIG, SIGNAL, leading, seconds, trailing

from pxshell.errors import UsageError
from pxshell.ranks import RankSet
from pxshell.render import Text

__all__ = ["ControlMagics"]


@magics_class
class ControlMagics(Magics):
    """What addresses, stops and watches ranks."""

    def __init__(self, shell: InteractiveShell, holder: Holder) -> None:
        super().__init__(shell)
        self.holder = holder

    @no_var_expand
    @line_magic
    @says_errors
    def pxfocus(self, line: str) -> None:
        """Show or set the focus: %pxfocus [RANKS | +RANKS | -RANKS | if EXPR | --name NAME RANKS]."""
        self.holder.session.set_focus(line)

    @no_var_expand
    @line_magic
    @says_errors
    def pxsignal(self, line: str) -> None:
        """Pause, resume, free or signal: %pxsignal pause [--sync EXPR] | resume | abort | INT ... | --escalate [S]."""
        session = self.holder.session
        what, _, rest = line.strip().partition(" ")
        before, sync_word, after = rest.partition("--sync")
        options, left = leading(before, SIGNAL)
        if what == "--escalate" and left.strip():
            word, _, left = left.strip().partition(" ")
            options = {"seconds": seconds(word)} | options | leading(left, SIGNAL)[0]
            left = leading(left, SIGNAL)[1]
        if left.strip():
            raise UsageError(f"%pxsignal {what} takes no {left.strip()!r}; ranks: -t RANKS")
        more, expression = trailing(after, SIGNAL)
        options |= more
        ranks = session.ranks(options["targets"]) if "targets" in options else None
        if sync_word and (what != "pause" or not expression):
            raise UsageError("--sync belongs to pause and takes an expression: %pxsignal pause --sync step")
        if what == "--escalate":
            session.escalate(ranks, seconds=options.get("seconds", 5.0), yes=bool(options.get("yes")))
        elif what == "pause":
            session.pause(ranks, sync=expression or None, deadline=options.get("timeout"))
        elif what == "resume":
            session.resume(ranks)
        elif what == "abort":
            session.abort(ranks)
        elif what:
            session.signal(what, ranks, yes=bool(options.get("yes")))
        else:
            raise UsageError("which? %pxsignal pause | resume | abort | INT TERM KILL USR1 ... | --escalate")

    @line_magic
    @says_errors
    def pxstatus(self, line: str) -> None:
        """Show the state of all ranks, and where those are that run something."""
        self.holder.display.show(self.holder.session.whereabouts())

    @line_magic
    @says_errors
    def pxlog(self, line: str) -> None:
        """Show the end of a rank's log: %pxlog [RANK]."""
        session = self.holder.session
        if line.strip() and not line.strip().isdecimal():
            raise UsageError(f"{line.strip()!r} is no rank: %pxlog 3")
        rank = int(line) if line.strip() else session.focus.first
        text = session.log(rank)
        if text:
            self.holder.display.show(Text(RankSet.of(rank), "stdout", text))

    @line_magic
    @says_errors
    def pxconfig(self, line: str) -> None:
        """Show or change settings: %pxconfig [--mute --no-mute --hold on|off --timeout S --mesh AXES ...]."""
        session = self.holder.session
        options, rest = leading(line, CONFIG)
        if rest.strip():
            known = " ".join(sorted(word for word in CONFIG if word.startswith("--")))
            raise UsageError(f"no setting {rest.strip()!r}; there are {known}")
        if "mesh" in options:
            session.set_mesh(options.pop("mesh"))
        if "targets" in options:
            session.set_focus(options.pop("targets"))
        options.pop("signal", None)
        if "hold" in options:
            session.hold(on=options.pop("hold"))
        for key, value in options.items():
            setattr(session.config, key, value)
        if not line.strip():
            settings = dataclasses.asdict(session.config) | {"mesh": session.mesh or None}
            self.holder.say("  ".join(f"{key}={value}" for key, value in settings.items()))

    @line_magic
    @says_errors
    def pxrestart(self, line: str) -> None:
        """Start all ranks anew, with the same numbers: %pxrestart."""
        if line.strip():
            raise UsageError(
                f"%pxrestart starts all ranks anew, not only {line.strip()}; end some: %pxsignal KILL -t RANKS"
            )
        self.holder.session.restart()

    @line_magic
    @says_errors
    def pxcluster(self, line: str) -> None:
        """Start, attach to, list or stop clusters: %pxcluster start -n 4 [--mpi] | attach [NAME] | list | stop."""
        try:
            words = shlex.split(line)
        except ValueError as error:
            raise UsageError(f"%pxcluster {line}: {error}") from error
        cluster_verb(self.holder, words)
