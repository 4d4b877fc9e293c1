# Stands in for ssh: runs the remote command here.
# SPDX-License-Identifier: GPL-2.0-or-later
"""`ssh host command`, without the network: the host must be `dummy`."""

from __future__ import annotations

import os
import subprocess
import sys


def main() -> int:
    host, command = sys.argv[1], " ".join(sys.argv[2:])
    if host != "dummy":
        print("unknown host " + host, file=sys.stderr)
        return 255
    # A remote shell starts in the home folder: here, the scenario's own.
    return subprocess.call(command, shell=True, cwd=os.environ["WORLD"])


if __name__ == "__main__":
    sys.exit(main())
