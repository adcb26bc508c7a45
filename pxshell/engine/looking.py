"""Completion, inspection and single expressions, answered by side threads whatever the main thread does."""

from __future__ import annotations

import sys
import threading
from types import FrameType
from typing import TYPE_CHECKING, Any

from pxshell.engine.namespace import FrameNamespace
from pxshell.engine.paused_frame import PausedFrame
from pxshell.engine.peek import check_single_expression, evaluate, frame_that_knows, names_in
from pxshell.engine.stacks import running_frame

if TYPE_CHECKING:
    from IPython.core.completer import IPCompleter

    from pxshell.engine.shell import RankShell

__all__ = ["Looking"]


#: Matchers of IPython's completer that need a shell; there is none before the first cell.
_SHELLS = ("IPCompleter.magic_matcher", "IPCompleter.magic_config_matcher", "IPCompleter.magic_color_matcher")


class Looking:
    """Looks into the rank from the side, in any thread but the main one. It reads, and changes nothing.

    Args:
        main_ident: Identifier of the main thread.
    """

    def __init__(self, main_ident: int) -> None:
        self._main_ident = main_ident
        # One for each thread: an expression that never ends keeps its own.
        self._of_thread = threading.local()

    def namespace(self, paused: PausedFrame | None, *, is_away: bool, expression: str = "") -> Any:
        """Return the names as the main thread sees them: of its paused frame, its running user frame, or `__main__`.

        The running frame is the innermost one that knows all names of the expression: where a program is within a
        step is chance, and `step` means the loop's, whichever function that has called at this moment.
        """
        if paused is not None:
            return paused.namespace
        frame: FrameType | None = running_frame(self._main_ident) if is_away else None
        user = frame_that_knows(names_in(expression), frame) if frame is not None else None
        return FrameNamespace(user) if user is not None else sys.modules["__main__"].__dict__

    def value(self, expression: str, namespace: Any) -> Any:
        """Evaluate a single expression; raises what it raises."""
        if isinstance(namespace, FrameNamespace):
            return evaluate(expression, namespace)
        tree = check_single_expression(expression)
        return eval(compile(tree, "<peek>", "eval", dont_inherit=True), namespace)  # noqa: S307 - the operator's own

    def complete(self, content: dict[str, Any], namespace: Any, shell: RankShell | None) -> dict[str, Any]:
        """Return Jupyter's complete_reply (https://jupyter-client.readthedocs.io/en/stable/messaging.html#completion)."""
        from IPython.core.completer import provisionalcompleter, rectify_completions

        code, position = content["code"], int(content["cursor_pos"])
        completer = self._the_completer(shell)
        completer.namespace = namespace
        completer.global_namespace = getattr(namespace, "globals", namespace)
        with provisionalcompleter():
            found = list(rectify_completions(code, completer.completions(code, position)))
        start = found[0].start if found else position
        end = found[0].end if found else position
        return {
            "status": "ok",
            "matches": [one.text for one in found],
            "cursor_start": start,
            "cursor_end": end,
            "metadata": {"_jupyter_types_experimental": [{"text": one.text, "type": one.type} for one in found]},
        }

    def _the_completer(self, shell: RankShell | None) -> IPCompleter:
        from IPython.core.completer import IPCompleter

        completer: IPCompleter | None = getattr(self._of_thread, "completer", None)
        if completer is None or completer.shell is not shell:
            completer = self._of_thread.completer = IPCompleter(shell=shell, namespace={}, use_jedi=False)
            if shell is None:
                # These ask the shell, and would print a traceback into the rank's output.
                completer.disable_matchers = list(_SHELLS)
        return completer

    def inspect(self, content: dict[str, Any], namespace: Any) -> dict[str, Any]:
        """Return Jupyter's inspect_reply for the name at the cursor."""
        from IPython.utils.tokenutil import token_at_cursor

        name = token_at_cursor(content["code"], int(content["cursor_pos"]))
        try:
            value = self.value(name, namespace)
        except Exception:  # noqa: BLE001 - properties of the user's objects may raise anything
            return {"status": "ok", "found": False, "data": {}, "metadata": {}}
        data = _inspector()._get_info(value, name, detail_level=int(content.get("detail_level", 0)))  # noqa: SLF001
        return {"status": "ok", "found": True, "data": data, "metadata": {}}


def _inspector() -> Any:
    from IPython import version_info
    from IPython.core import oinspect

    make: Any = oinspect.Inspector
    # IPython 9 has no default for the theme.
    return make(theme_name="nocolor") if version_info >= (9,) else make()
