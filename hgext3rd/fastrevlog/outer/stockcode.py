# Is what a short way leaves out Mercurial's own code?
# SPDX-License-Identifier: GPL-2.0-or-later
"""As :mod:`..unchanged` asks, and looks into Mercurial's own context managers, which
are written with a decorator.
"""

from __future__ import annotations

import contextlib
import sys
import types
from typing import Any

from .. import unchanged


@contextlib.contextmanager
def _a_context() -> Any:
    yield


_CONTEXT_MANAGER = _a_context.__code__


def written_by_mercurial(owner: Any, names: str, *modules: Any) -> bool:
    """Were the functions ``names`` of ``owner`` written in one of ``modules``?

    In that of ``owner`` itself, if none is named.
    """
    if not modules:
        if isinstance(owner, types.ModuleType):
            modules = (owner,)
        else:
            modules = (sys.modules[owner.__module__],)
    return all(_is_from(getattr(owner, name, None), modules) for name in names.split())


def _is_from(function: Any, modules: tuple[Any, ...]) -> bool:
    function = unchanged.stock_of(function)
    if getattr(function, '__code__', None) is _CONTEXT_MANAGER:
        function = function.__wrapped__
    return (
        isinstance(function, types.FunctionType)
        and not hasattr(function, '__wrapped__')
        and any(function.__globals__ is vars(module) for module in modules)
    )
