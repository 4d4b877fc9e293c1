# Stub: the store.
# SPDX-License-Identifier: GPL-2.0-or-later
from typing import Any

from . import vfs as vfsmod

def decodedir(path: bytes) -> bytes: ...

class _fncachevfs(vfsmod.abstractvfs):
    vfs: Any

class fncachestore: ...
