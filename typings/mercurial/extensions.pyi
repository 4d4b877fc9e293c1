# Stub: wrapping.
# SPDX-License-Identifier: GPL-2.0-or-later
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

def getwrapperchain(container: Any, funcname: str) -> list[Any]: ...
def wrapfunction(container: Any, funcname: str, wrapper: Callable[..., Any]) -> Any: ...
def wrapcommand(
    table: dict[bytes, Any], command: bytes, wrapper: Callable[..., Any]
) -> Any: ...
def wrappedfunction(
    container: Any, funcname: str, wrapper: Callable[..., Any]
) -> AbstractContextManager[None]: ...
