# Doing something to a module of Mercurial's when it is first used.
# SPDX-License-Identifier: GPL-2.0-or-later
"""Many of Mercurial's modules are never used by a command, and must not be loaded for
our sake.  Mercurial imports them lazily (``hgdemandimport``): the module object is
there, but its code is run when an attribute is first asked for.  :func:`when_run`
calls back once that has happened, before whoever asked gets the answer.

How: a module is run by its loader's ``exec_module``; the loader is wrapped. A lazy
module object carries its loader in its specification (``importlib.util.LazyLoader``);
for a module that nobody has imported yet, a finder before the others wraps the loader
of what those find.
"""

from __future__ import annotations

import sys
import types
from typing import Any, Callable

Callback = Callable[[types.ModuleType], None]


def is_run(name: str) -> bool:
    """Was the module's code run?  (Of a lazy module it was not.)"""
    module = sys.modules.get(name)
    return module is not None and not _is_lazy(module)


def _is_lazy(module: Any) -> bool:
    # not by isinstance(), which asks the module for its __class__, and so runs it
    return type(module).__name__ == '_LazyModule'


def when_run(name: str, call: Callback) -> None:
    """Call ``call(module)`` when the module ``name`` was run; at once if it was."""
    module = sys.modules.get(name)
    if module is None:
        _finder.wait(name, call)
    elif not _is_lazy(module):
        call(module)
    else:
        spec = types.ModuleType.__getattribute__(module, '__spec__')
        spec.loader = _Loader(spec.loader, call)


class _Loader:
    """Runs a module as ``loader`` does, then calls ``call``."""

    def __init__(self, loader: Any, call: Callback) -> None:
        self._loader = loader
        self._call = call

    def exec_module(self, module: types.ModuleType) -> None:
        spec = types.ModuleType.__getattribute__(module, '__spec__')
        spec.loader = self._loader
        self._loader.exec_module(module)
        # importlib's own lazy modules change their class before they are run
        self._call(module)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)


class _Finder:
    """Finds modules as the other finders do, and wraps their loaders."""

    def __init__(self) -> None:
        self._waiting: dict[str, list[Callback]] = {}

    def wait(self, name: str, call: Callback) -> None:
        self._waiting.setdefault(name, []).append(call)
        if self not in sys.meta_path:
            sys.meta_path.insert(0, self)  # type: ignore[arg-type]

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        calls = self._waiting.pop(name, None)
        if calls is None:
            return None
        if not self._waiting and self in sys.meta_path:
            sys.meta_path.remove(self)  # type: ignore[arg-type]
        for finder in list(sys.meta_path):
            find = getattr(finder, 'find_spec', None)
            if finder is self or find is None:
                continue
            spec = find(name, path, target)
            if spec is not None:
                for call in calls:
                    _wrap(spec, call)
                return spec
        return None


def _wrap(spec: Any, call: Callback) -> None:
    lazy = spec.loader
    # a lazy loader holds the one that will run the module
    if hasattr(lazy, 'loader') and not isinstance(lazy, _Loader):
        lazy.loader = _Loader(lazy.loader, call)
    else:
        spec.loader = _Loader(lazy, call)


_finder = _Finder()
