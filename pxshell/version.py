"""The versions of pxshell and of its wire protocol: literals, so that they can be read without importing anything."""

from __future__ import annotations

__all__ = ["PROTOCOL", "__version__"]

__version__ = "0.1.0"

PROTOCOL = 2
"""What two ends must have in common to understand each other; raised with every incompatible change of the wire."""
