"""IPython's own terminal shell, whose cells go to the ranks."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from IPython.core import page
from IPython.core.interactiveshell import ExecutionResult
from IPython.terminal.interactiveshell import TerminalInteractiveShell
from IPython.terminal.prompts import Prompts
from IPython.terminal.ptutils import IPythonPTCompleter
from prompt_toolkit.completion import CompleteEvent, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.formatted_text import PygmentsTokens
from prompt_toolkit.key_binding import KeyBindings
from prompt_toolkit.styles import BaseStyle, Style, merge_styles
from pygments.token import Token, _TokenType

from pxshell.errors import UsageError
from pxshell.magics import load
from pxshell.session import Session
from pxshell.session.routing import runs_here, without_local
from pxshell.terminal.cells import CellRunner
from pxshell.terminal.completion import RankCompleter
from pxshell.terminal.display import TerminalDisplay
from pxshell.terminal.help import help_text
from pxshell.terminal.keys import add_keys
from pxshell.terminal.leaving import Leaving
from pxshell.terminal.prompt import Fragments, toolbar
from pxshell.terminal.screen import Screen
from pxshell.terminal.typeahead import typing_ahead

__all__ = ["Face", "RankPrompts", "TerminalShell"]

_AGAIN = re.compile(r"%(?:rerun|edit|paste)\b")
_STYLE = Style.from_dict({"bottom-toolbar": "noreverse bg:#303030 #d0d0d0", "bottom-toolbar.text": ""})
_Tokens = list[tuple[_TokenType, str]]


@dataclass(frozen=True, slots=True)
class Face:
    """What the shell needs to be one on ranks."""

    session: Session
    screen: Screen
    display: TerminalDisplay
    leaving: Leaving


class RankPrompts(Prompts):
    """Prompts that show the focus and its state, asked anew with each redraw."""

    shell: TerminalShell

    def in_prompt_tokens(self) -> _Tokens:
        """Return `px[0-3] sim.py:87> ` in tokens."""
        head, ranks, tail = re.split(r"[\[\]]", f"{self.shell.session.prompt_text()}> ", maxsplit=2)
        return [
            (Token.Prompt.Mode, self.vi_mode()),
            (Token.Prompt, f"{head}["),
            (Token.PromptNum, ranks),
            (Token.Prompt, f"]{tail}"),
        ]

    def continuation_prompt_tokens(
        self, width: int | None = None, *, lineno: int | None = None, wrap_count: int | None = None
    ) -> _Tokens:
        """Return dots below the prompt."""
        del lineno, wrap_count
        return [(Token.Prompt, f"{'...: ':>{width or self._width()}}")]


class TerminalShell(TerminalInteractiveShell):
    """IPython's terminal, with its history, editing, colours and the user's configuration; cells run on the focus.

    Until ``take_face``, while the user's startup files run, it is a plain IPython.
    """

    face: Face | None = None
    _runner: CellRunner | None = None
    _is_home = False
    # IPython annotates its own, None, alone.
    rl_next_input: str | None = None  # type: ignore[assignment]

    def take_face(self, face: Face) -> None:
        """Send cells to the ranks from now on."""
        self.face = face
        self._holder = load(self, face.session, face.display)
        self._runner = CellRunner(face.session, face.display, self._run_here, self._show_page, typing_ahead)
        self.prompts = RankPrompts(self)
        self.separate_in = ""
        self.term_title_format = f"pxshell: {face.session.client.name}"
        self.init_term_title()

    # Where cells go.

    def run_cell(self, raw_cell: str, store_history: bool = False, *rest: Any, **options: Any) -> ExecutionResult:
        """Run a cell on the focus, or the parts of it here that belong here."""
        if self._runner is None or self._is_home:
            here: ExecutionResult = super().run_cell(raw_cell, store_history, *rest, **options)
            return here
        if store_history and self.history_manager is not None:
            self.history_manager.store_inputs(self.execution_count, raw_cell)
            self.execution_count += 1
        result = ExecutionResult(None)
        if self._runner.run(raw_cell):
            result.error_in_exec = UsageError("the cell failed")
        return result

    def _run_here(self, text: str) -> int:
        if text.strip() in {"?px", "px?"}:
            self._show_page(help_text())
            return 0
        self._holder.has_failed = False
        # What these give back to run_cell is input once more, and goes where it would have gone.
        self._is_home = _AGAIN.match(text) is None
        try:
            result = super().run_cell(without_local(text))
        finally:
            self._is_home = False
        return 0 if result.success and not self._holder.has_failed else 1

    def _show_page(self, text: str) -> None:
        assert self.face is not None
        if self.face.screen.has_room(text):
            self.face.screen.write(f"{text.rstrip()}\n")
        else:
            page.page(text)

    # The prompt.

    def prompt_for_code(self) -> str:
        """Ask for a cell; what ranks say meanwhile goes above the prompt."""
        assert self.face is not None
        with suppress(KeyboardInterrupt):
            self.face.session.answer_asks()
        if self.pt_app is None:
            return str(super().prompt_for_code())
        app = self.pt_app.app
        screen = self.face.screen
        app.pre_run_callables.append(lambda: screen.prompt_begins(app))
        try:
            return str(super().prompt_for_code())
        finally:
            app.pre_run_callables.clear()
            screen.prompt_ends()

    def _extra_prompt_options(self) -> dict[str, Any]:
        options: dict[str, Any] = super()._extra_prompt_options()
        if self.face is not None:
            options |= {
                "message": lambda: PygmentsTokens(self.prompts.in_prompt_tokens()),
                "bottom_toolbar": self._toolbar,
                "completer": RankCompleter(self),
                "complete_in_thread": True,
            }
        return options

    def _toolbar(self) -> Fragments:
        assert self.face is not None
        return toolbar(self.face.session.client.name, self.face.session.status(), self.face.screen.columns)

    def _make_style_from_name_or_cls(self, name_or_cls: Any) -> BaseStyle:
        return merge_styles([super()._make_style_from_name_or_cls(name_or_cls), _STYLE])

    def _merge_shortcuts(self, user_shortcuts: Any) -> KeyBindings:
        bindings: KeyBindings = super()._merge_shortcuts(user_shortcuts)
        add_keys(bindings, self)
        return bindings

    def begin_next_with(self, text: str) -> None:
        """Begin the next prompt with a text."""
        self.rl_next_input = text or None

    def is_script_running(self) -> bool:
        """Tell whether Ctrl-C has a script to pause."""
        return self.face is not None and bool(self.face.session.running)

    # Completion.

    @property
    def session(self) -> Session:
        """The session, for the completer."""
        assert self.face is not None
        return self.face.session

    def magic_names(self) -> Iterable[str]:
        """Return the names of the magics that run here."""
        lines = self.magics_manager.lsmagic()["line"]
        return [name for name in lines if runs_here(f"%{name}")]

    def complete_here(self, code: str, cursor: int) -> Iterator[Completion]:
        """Complete on the objects of this process."""
        here = IPythonPTCompleter(shell=self)
        yield from here.get_completions(Document(code, cursor), CompleteEvent(completion_requested=True))

    # The end.

    def ask_exit(self) -> None:
        """Leave, unless the user stays after all."""
        if self.face is None or self.face.leaving.leave():
            super().ask_exit()

    def interact(self) -> None:
        """Read cells and run them until the user leaves."""
        self.keep_running = True
        while self.keep_running:
            try:
                code = self.prompt_for_code()
            except EOFError:
                self.ask_exit()
            except KeyboardInterrupt:  # a signal from elsewhere, or a terminal without keys of its own
                if self.is_script_running():
                    self.run_cell("%pxsignal pause")
            else:
                if code.strip():
                    self.run_cell(code, store_history=True)
