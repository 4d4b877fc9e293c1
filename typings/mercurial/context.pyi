# Stub: commits made in memory.
# SPDX-License-Identifier: GPL-2.0-or-later
from collections.abc import Callable, Sequence
from typing import Any

class basectx:
    diff: Callable[..., Any]
    def __getattr__(self, name: str) -> Any: ...

class memctx:
    def __init__(
        self,
        repo: Any,
        parents: Sequence[bytes],
        text: bytes,
        files: Sequence[bytes],
        filectxfn: Callable[[Any, Any, bytes], Any],
        user: bytes | None = None,
        date: tuple[int, int] | None = None,
        extra: dict[bytes, bytes] | None = None,
        branch: bytes | None = None,
        editor: Any = None,
    ) -> None: ...
    def commit(self) -> bytes: ...

class memfilectx:
    def __init__(
        self,
        repo: Any,
        changectx: Any,
        path: bytes,
        data: bytes,
        islink: bool = False,
        isexec: bool = False,
        copysource: bytes | None = None,
    ) -> None: ...

class changectx(basectx): ...

class filectx:
    data: Any
    def __getattr__(self, name: str) -> Any: ...

class workingctx(basectx): ...

class workingfilectx:
    write: Any
    clearunknown: Any
    def __getattr__(self, name: str) -> Any: ...

basefilectx: Any
