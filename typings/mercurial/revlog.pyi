# Stub: the outer revlog, which we reach into.
# SPDX-License-Identifier: GPL-2.0-or-later
from collections.abc import Callable
from typing import Any

_maxinline: int
REVIDX_NEUTRAL_FLAGS: int  # from 7.2
parse_index_v1: Any

parsers: Any

class _InnerRevlog: ...

class revlog:
    __init__: Callable[..., None]
    _loadindex: Callable[..., Any]
    _load_inner: Callable[..., Any]
    _revisiondata: Callable[..., Any]
    def __getattr__(self, name: str) -> Any: ...
