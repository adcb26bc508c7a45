"""The front end's side of a cluster: connection, requests, views, results."""

from __future__ import annotations

from pxshell.client.client import Client
from pxshell.client.request import Request
from pxshell.client.results import AsyncResult
from pxshell.client.snapshot import Snapshot
from pxshell.client.views import View

__all__ = ["AsyncResult", "Client", "Request", "Snapshot", "View", "connect"]

connect = Client
