"""Clusters: the launchers, starting and stopping, and the list of those that run."""

from __future__ import annotations

from pxshell.cluster.cluster import Cluster
from pxshell.cluster.info import ClusterInfo, list_clusters
from pxshell.cluster.starting import cores_here

__all__ = ["Cluster", "ClusterInfo", "cores_here", "list_clusters"]
