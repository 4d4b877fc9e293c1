# A client of Mercurial's command server.
# SPDX-License-Identifier: GPL-2.0-or-later
"""Speaks the pipe protocol of `hg serve --cmdserver pipe`.

Source of the protocol: the Mercurial wiki's page CommandServer. The server sends
frames: a channel letter, a length (32 bits, big endian), data. Capital letters are
requests for input, which these tests never have: an empty answer is end of file.
"""

from __future__ import annotations

import struct
import subprocess


class CommandServer:
    """One command server; commands run in it one after the other."""

    def __init__(self, process: subprocess.Popen) -> None:
        self.process = process
        channel, _hello = self._frame()
        if channel != b"o":
            raise AssertionError(f"the command server began with channel {channel!r}")

    def _frame(self) -> tuple[bytes, bytes]:
        assert self.process.stdout
        header = self.process.stdout.read(5)
        if len(header) < 5:
            raise AssertionError("the command server is gone")
        channel, length = struct.unpack(">cI", header)
        if channel in b"IL":
            return channel, b""
        return channel, self.process.stdout.read(length)

    def run(self, args: list[str]) -> tuple[int, bytes, bytes]:
        """Run one command: exit code, output, errors."""
        assert self.process.stdin
        joined = b"\0".join(arg.encode("utf-8") for arg in args)
        self.process.stdin.write(b"runcommand\n" + struct.pack(">I", len(joined)))
        self.process.stdin.write(joined)
        self.process.stdin.flush()
        out, err = b"", b""
        while True:
            channel, data = self._frame()
            if channel == b"o":
                out += data
            elif channel == b"e":
                err += data
            elif channel == b"r":
                return struct.unpack(">i", data)[0], out, err
            elif channel in b"IL":
                self.process.stdin.write(struct.pack(">I", 0))
                self.process.stdin.flush()

    def close(self) -> None:
        """End the server, the orderly way: end of file on its input."""
        assert self.process.stdin and self.process.stdout
        self.process.stdin.close()
        self.process.wait(30)
        self.process.stdout.close()
