"""Clusters on disk for these tests."""

from clusters import joined, on_disk

__all__ = ["joined", "on_disk"]
