# What every test of workers has to leave behind: nothing.
# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import os
from collections.abc import Iterator

import pytest


def children() -> set[str]:
    """The child processes of this one, running or dead."""
    found: set[str] = set()
    for thread in os.listdir("/proc/self/task"):
        with open(f"/proc/self/task/{thread}/children", encoding="ascii") as fp:
            found.update(fp.read().split())
    return found


@pytest.fixture(autouse=True)
def no_child_left() -> Iterator[None]:
    """No child process more than before; the servers of other tests stay."""
    if not os.path.isdir("/proc/self/task"):
        yield
        return
    before = children()
    yield
    assert children() - before == set()
