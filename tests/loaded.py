"""What is said of ranks and controllers that a busy machine keeps from answering, which is not what tests are about."""

import re

# Wherever a line may begin: all of it is said by the thread that hears of it, while others are about something else.
_LINE = re.compile(
    r"^(?:[\d,-]+ (?:does|do) not answer \(unresponsive\)|[\d,-]+ answers? again"
    r"|the controller of \S+ does not answer|\S+ is back)\n",
    re.MULTILINE,
)


def without_load(text: str) -> str:
    """Return what was shown without the lines that only a busy machine makes pxshell say."""
    return _LINE.sub("", text)
