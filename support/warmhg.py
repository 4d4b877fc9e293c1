# Stands in for hg: has a warm process run the command, see forkserver.py.
# SPDX-License-Identifier: GPL-2.0-or-later
"""Run as ``python -IS warmhg.py SOCKET ARGUMENT...``, without site-packages and without
modules that would cost more than the fork.
"""

from __future__ import annotations

import _socket
import marshal
import os
import sys


def main() -> None:
    mask = os.umask(0)
    os.umask(mask)
    job = {
        "args": sys.argv[2:],
        "cwd": os.getcwd(),
        "env": dict(os.environ),
        "umask": mask,
    }
    data = marshal.dumps(job)
    data = len(data).to_bytes(4, "big") + data
    server = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    server.connect(sys.argv[1])
    fds = b"".join(fd.to_bytes(4, sys.byteorder) for fd in (0, 1, 2))
    sent = server.sendmsg([data], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, fds)])
    while sent < len(data):
        sent += server.send(data[sent:])
    status = int(server.recv(99) or b"255")
    if status < 0:
        os.kill(os.getpid(), -status)
    os._exit(status)


main()
