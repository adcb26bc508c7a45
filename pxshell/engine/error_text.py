"""The text of an exception, for answers that must be given whatever the exception's class does."""

from __future__ import annotations

__all__ = ["text_of"]


def text_of(value: BaseException) -> str:
    """Return an exception's text, whatever its class makes of that."""
    try:
        return str(value)
    except BaseException as error:  # noqa: BLE001 - a user's own __str__ may raise anything, SystemExit too
        return f"<its text raised {type(error).__name__}>"
