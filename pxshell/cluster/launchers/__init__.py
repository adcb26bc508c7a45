"""Ways to start ranks, one module each."""

from __future__ import annotations

from pxshell.cluster.launchers.base import Command, Launcher, LaunchSpec, find_launcher

__all__ = ["Command", "LaunchSpec", "Launcher", "find_launcher"]
