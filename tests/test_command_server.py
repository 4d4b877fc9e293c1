# A command server forks for each client, as chg's does: served, and reported.
# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import json
import os
import pathlib
import socket
import struct
import subprocess
import time

import pytest

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs unix sockets")


class Client:
    """One connection to a command server."""

    def __init__(self, address: pathlib.Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(60)
        self.socket.connect(str(address))
        self.stream = self.socket.makefile("rb")
        self.frame()

    def frame(self) -> tuple[bytes, bytes]:
        channel, size = struct.unpack(">cI", self.stream.read(5))
        return channel, self.stream.read(size)

    def run(self, *args: str) -> bytes:
        words = b"\0".join(os.fsencode(arg) for arg in args)
        self.socket.sendall(b"runcommand\n" + struct.pack(">I", len(words)) + words)
        output = b""
        while True:
            channel, data = self.frame()
            if channel == b"r":
                assert struct.unpack(">i", data) == (0,), output
                return output
            output += data

    def close(self) -> None:
        self.stream.close()
        self.socket.close()


def test_each_request_is_reported(
    tmp_path: pathlib.Path, hg_path: pathlib.Path, hgrc: pathlib.Path
) -> None:
    repo = tmp_path / "repo"
    report = tmp_path / "report.jsonl"
    address = tmp_path / "socket"
    with hgrc.open("a") as more:
        more.write("[cmdserver]\nlog = /dev/null\n")
    subprocess.run([hg_path, "init", repo], check=True)
    (repo / "file").write_text("one\n")
    subprocess.run([hg_path, "-R", repo, "commit", "-qAm", "first"], check=True)
    # not in the repository: a server opens its own one before it forks
    serve = [str(hg_path), "serve", "--cmdserver", "unix", "-a", str(address)]
    server = subprocess.Popen(serve, cwd=tmp_path)
    try:
        while not address.exists():
            assert server.poll() is None
            time.sleep(0.05)
        report.unlink()
        client = Client(address)
        assert client.run("-R", str(repo), "cat", str(repo / "file")) == b"one\n"
        first = report.read_text().splitlines()
        assert client.run("-R", str(repo), "log", "-T", "{desc}") == b"first"
        both = report.read_text().splitlines()
        client.close()
    finally:
        server.kill()
        server.wait()
    assert len(first) == 1 and len(both) == 2
    cat, log = (json.loads(line) for line in both)
    assert cat["pid"] == log["pid"] != server.pid
    assert cat["served"]["filelog"] == 1 and cat["served"]["changelog"] == 1
    assert not cat["refused"] and not log["refused"]
    assert "filelog" not in log["served"]
