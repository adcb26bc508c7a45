"""Images in terminals: who can show them, and how each protocol has them.

Kitty: https://sw.kovidgoyal.net/kitty/graphics-protocol/. iTerm2: https://iterm2.com/documentation-images.html. Sixel:
the VT340's, https://vt100.net/docs/vt3xx-gp/chapter14.html.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from typing import Any, Literal

__all__ = ["Graphics", "encoded", "graphics_of"]

Graphics = Literal["", "kitty", "iterm2", "sixel"]

#: Characters of one piece of an image, as Kitty's protocol limits them.
_PIECE = 4096
_NAMES: Mapping[str, Graphics] = {"kitty": "kitty", "iterm2": "iterm2", "sixel": "sixel"}
#: What terminals call themselves, in TERM_PROGRAM or LC_TERMINAL, and at the beginning of TERM.
_PROGRAMS: Mapping[str, Graphics] = {
    "ghostty": "kitty",
    "iTerm.app": "iterm2",
    "iTerm2": "iterm2",
    "WezTerm": "iterm2",
    "mintty": "iterm2",
    "vscode": "",
}
_TERMS: Mapping[str, Graphics] = {
    "xterm-kitty": "kitty",
    "xterm-ghostty": "kitty",
    "foot": "sixel",
    "mlterm": "sixel",
    "yaft": "sixel",
    "contour": "sixel",
}
#: Levels of red, green and blue: 216 colours, within the 256 that terminals have registers for.
_LEVELS = 6


def graphics_of(environ: Mapping[str, str], *, is_terminal: bool) -> Graphics:
    """Return the protocol of this terminal by what it says of itself, "" when it says nothing or cannot.

    `PXSHELL_GRAPHICS` (kitty, iterm2, sixel, text) has the last word: a terminal multiplexer passes none of them on by
    itself, and xterm does not say whether it was built with sixel.
    """
    chosen = environ.get("PXSHELL_GRAPHICS", "")
    if chosen or not is_terminal:
        return _NAMES.get(chosen, "") if is_terminal else ""
    if environ.get("TMUX") or environ.get("STY") or environ.get("TERM", "").startswith(("screen", "tmux")):
        return ""
    if environ.get("KITTY_WINDOW_ID"):
        return "kitty"
    for name in (environ.get("TERM_PROGRAM", ""), environ.get("LC_TERMINAL", "")):
        if name in _PROGRAMS:
            return _PROGRAMS[name]
    term = environ.get("TERM", "")
    return next((graphics for name, graphics in _TERMS.items() if term.startswith(name)), "")


def encoded(png: bytes, graphics: Graphics) -> str:
    """Return what makes a terminal draw an image at the cursor, with the newline after it."""
    match graphics:
        case "kitty":
            return f"{_kitty(png)}\n"
        case "iterm2":
            name = f"inline=1;size={len(png)};preserveAspectRatio=1"
            return f"\x1b]1337;File={name}:{base64.b64encode(png).decode()}\x07\n"
        case "sixel":
            return f"{_sixel(png)}\n"
        case _:
            return ""


def _kitty(png: bytes) -> str:
    text = base64.b64encode(png).decode()
    pieces = [text[start : start + _PIECE] for start in range(0, len(text), _PIECE)]
    out = []
    for number, piece in enumerate(pieces):
        more = int(number < len(pieces) - 1)
        # q=2: no answer, which would be taken for typing.
        keys = f"a=T,f=100,q=2,m={more}" if number == 0 else f"m={more}"
        out.append(f"\x1b_G{keys};{piece}\x1b\\")
    return "".join(out)


def _sixel(png: bytes) -> str:
    """Draw in rows of six pixels, colour after colour."""
    import numpy as np
    from matplotlib.image import imread

    image = imread(io.BytesIO(png))[..., :3]
    levels = np.rint(np.asarray(image) * (_LEVELS - 1)).astype(np.int64)
    indexes = (levels[..., 0] * _LEVELS + levels[..., 1]) * _LEVELS + levels[..., 2]
    height, width = indexes.shape
    used = [int(index) for index in np.unique(indexes)]
    out = [f'\x1bP0;1q"1;1;{width};{height}', *(_register(index) for index in used)]
    out += [_band(indexes[top : top + 6], np) for top in range(0, height, 6)]
    return "".join([*out, "\x1b\\"])


def _register(index: int) -> str:
    red, green, blue = index // _LEVELS**2, index // _LEVELS % _LEVELS, index % _LEVELS
    shares = (100 * level // (_LEVELS - 1) for level in (red, green, blue))
    return f"#{index};2;{';'.join(map(str, shares))}"


def _band(rows: Any, numpy: Any) -> str:
    weights = 1 << numpy.arange(len(rows))
    lines = []
    for index in numpy.unique(rows):
        bits = ((rows == index) * weights[:, None]).sum(axis=0)
        lines.append(f"#{int(index)}{_run_lengths(bits, numpy)}")
    return "$".join(lines) + "-"


def _run_lengths(bits: Any, numpy: Any) -> str:
    starts = numpy.flatnonzero(numpy.diff(bits, prepend=-1))
    counts = numpy.diff(numpy.append(starts, len(bits)))
    pairs = zip(bits[starts], counts, strict=True)
    return "".join(
        f"!{int(count)}{chr(63 + int(bit))}" if count > 3 else chr(63 + int(bit)) * int(count) for bit, count in pairs
    )
