# Wraps what Mercurial has, and counts the calls.
# SPDX-License-Identifier: GPL-2.0-or-later
"""For tests that see whether a short way passes over what somebody has wrapped."""

from __future__ import annotations

import functools
import os
import sys
import types
from typing import Any

import pytest


class Counted:
    """How often what was wrapped is called in this process, as ever."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.count = 0
        self._patch = patch
        self._pid = os.getpid()

    def on(self, holder: Any, name: str) -> None:
        """Wrap what ``holder``, a class, a module or an object, has or inherits."""
        orig = vars(holder).get(name)
        if orig is None:
            orig = getattr(holder, name)
        self._patch.setattr(holder, name, self.around(orig))

    def instead(self, cls: type, name: str) -> None:
        """Put a class in the place of ``cls`` that inherits from it."""
        made = self._subclass(cls, name)
        self._patch.setattr(sys.modules[cls.__module__], cls.__name__, made)

    def another_class(self, instance: Any, name: str) -> None:
        """Give ``instance`` a class that inherits from its own."""
        instance.__class__ = self._subclass(type(instance), name)

    def _subclass(self, cls: type, name: str) -> type:
        orig = next(vars(one)[name] for one in cls.__mro__ if name in vars(one))
        made = type(cls.__name__, (cls,), {name: self.around(orig)})
        made.__module__ = __name__
        return made

    def around(self, orig: Any) -> Any:
        """A function, or what else a class may hold, that counts and calls ``orig``."""
        if isinstance(orig, (staticmethod, classmethod)):
            return type(orig)(self.around(orig.__func__))
        if not isinstance(orig, (types.FunctionType, types.MethodType)):
            return self._property(orig)

        @functools.wraps(orig)
        def counted(*args: Any, **kwargs: Any) -> Any:
            self._called()
            return orig(*args, **kwargs)

        return counted

    def _property(self, orig: Any) -> Any:
        def counted(this: Any) -> Any:
            self._called()
            return orig.__get__(this, type(this))

        return property(counted)

    def _called(self) -> None:
        if os.getpid() == self._pid:
            self.count += 1
