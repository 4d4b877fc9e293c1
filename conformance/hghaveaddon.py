# For Mercurial's tests of the node map: they are to expect a fast implementation.
# SPDX-License-Identifier: GPL-2.0-or-later
"""Copy this into ``tests/`` of Mercurial's source; its ``hghave.py`` imports it.

Whether a test expects the node map to be added to, without a warning or an abort, is
decided by ``#if pure`` and ``#if rust``.  With FASTREVLOG_AS_FAST set, ``pure`` holds:
what Mercurial's code in Python writes, byte for byte, is expected then.
"""

from __future__ import annotations

import os

import hghave  # type: ignore[import-not-found]

if os.environ.get("FASTREVLOG_AS_FAST"):
    _described = hghave.checks["pure"][1]
    hghave.checks["pure"] = (lambda: True, _described)
