"""Whether a rank has moved since it was looked at: for those who look again and again, with a word of their own.

A rank has moved when a frame has come or gone, is at another instruction, or a local of the user's code has another
value. What pxshell does on top of the program's frames, as it waits in the place of a call of MPI, is no move of the
program; that it has begun another such wait is. A loop around one call that changes no name at all may look as if it
stood still; up to Python 3.12 the counters in its code, with which the interpreter tries to specialize what cannot be
(as calls of mpi4py), still tell.
"""

from __future__ import annotations

from collections import OrderedDict
from types import FrameType

from pxshell.engine.aborting import begin_of
from pxshell.engine.frames import is_user_code

__all__ = ["Moves"]

#: Those who look, of whom the last mark is kept.
_WATCHES = 16
#: Names of one frame that are compared.
_NAMES = 200
_PLAIN = (int, float, bool, str, type(None))


class Moves:
    """Counts, for each who looks, how often in a row this rank was found where it was before. One thread's."""

    def __init__(self) -> None:
        self._marks: OrderedDict[str, tuple[int, int]] = OrderedDict()

    def still(self, watch: str, frame: FrameType | None, waits: int = 0) -> int:
        """Return how many looks in a row have found the same as the one before them; 0 after a move.

        Args:
            watch: Who looks.
            frame: The innermost frame.
            waits: How many waits have been begun in the place of calls of MPI; see `Patience`.
        """
        mark = hash((waits, _mark_of(begin_of(frame))))
        before, count = self._marks.pop(watch, (None, 0))
        count = count + 1 if before == mark else 0
        self._marks[watch] = (mark, count)
        if len(self._marks) > _WATCHES:
            self._marks.popitem(last=False)
        return count


def _mark_of(frame: FrameType | None) -> int:
    marks: list[object] = []
    while frame is not None:
        # The code as it is just now, counters included (https://peps.python.org/pep-0659/); a private name.
        code: bytes = getattr(frame.f_code, "_co_code_adaptive", b"")
        marks.append((id(frame), frame.f_lasti, code))
        if is_user_code(frame.f_code.co_filename):
            # A copy in one step: the main thread may be changing them.
            names = list(frame.f_locals.items())[:_NAMES]
            marks.append(tuple((name, value if type(value) in _PLAIN else id(value)) for name, value in names))
        frame = frame.f_back
    return hash(tuple(marks))
