"""How wide text is on a screen, and how it is brought to a width."""

from __future__ import annotations

from wcwidth import wcwidth

__all__ = ["padded", "width_of"]


def width_of(text: str) -> int:
    """Return the columns that one line of text takes; control characters take none."""
    if text.isascii() and text.isprintable():
        return len(text)
    return sum(max(0, wcwidth(character)) for character in text)


def padded(text: str, width: int) -> str:
    """Return the text with blanks up to a width, at least itself."""
    return text + " " * (width - width_of(text))
