# An extension for tests: node maps are asked whatever the size of the index.
# SPDX-License-Identifier: GPL-2.0-or-later
"""Load it beside fastrevlog; indexes of a few revisions are then looked up by map."""

from __future__ import annotations

import importlib
from typing import Any

import mercurial.extensions


def extsetup(ui: Any) -> None:
    """Take the limits away, in this process."""
    extensions: Any = mercurial.extensions
    try:
        fastrevlog = extensions.find(b"fastrevlog")
    except KeyError:
        return
    proxy: Any = importlib.import_module(fastrevlog.__name__ + ".engine.nodemap.proxy")
    proxy.MappedIndexProxy.small_index = 0
    proxy.MappedIndexProxy.max_behind = 1.0
    proxy.LOOKUPS_PER_1000 = 1_000_000_000
