"""The editor's side of a debugger: listeners, adapters, many ranks in one session, launch.json."""
