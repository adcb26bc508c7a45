"""Where processes find each other: directories, connection files, locks, names, rank discovery, unlaunched worlds."""
