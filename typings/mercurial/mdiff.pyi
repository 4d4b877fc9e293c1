# Stub: diffs and patches; storage_diff and manifest_diff are there from 7.2 on.
# SPDX-License-Identifier: GPL-2.0-or-later
from collections.abc import Sequence
from typing import Any

def patch(a: bytes, bin: bytes) -> Any: ...
def patches(text: Any, bins: Sequence[Any]) -> bytes: ...
def textdiff(a: bytes, b: bytes) -> bytes: ...

patchedsize: Any
manifest_diff: Any  # from 7.2
storage_diff: Any  # from 7.2
