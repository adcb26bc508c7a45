"""Drivers of the protocol: ZeroMQ with Curve, unix streams, in-process."""
