"""The messages and the rules, without I/O, threads or a clock."""
