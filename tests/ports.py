"""Free ports for tests that name one before it is listened at.

They lie below those that systems give to connections and to listeners that do not care (RFC 6335: from 49152; Linux:
from 32768), any of which another process may be given in between.
"""

import errno
import random
import socket
from contextlib import ExitStack

_CHOICE = range(20000, 32000)


def free_ports(count):
    """Return ports of 127.0.0.1 that nobody listens at now, all different."""
    found = []
    with ExitStack() as stack:
        while len(found) < count:
            probe = stack.enter_context(socket.socket())
            try:
                probe.bind(("127.0.0.1", random.choice(_CHOICE)))
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise
            else:
                found.append(probe.getsockname()[1])
    return found
