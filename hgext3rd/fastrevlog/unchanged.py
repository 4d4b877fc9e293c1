# Is this Mercurial's own code?
# SPDX-License-Identifier: GPL-2.0-or-later
"""Asked by every short way about each function that it leaves out.

The answer does not come from a comparison with what was there when we were loaded,
but from where a function was written: whatever an extension has wrapped or replaced,
before us or after us, on a class, a subclass or an object, was not written in
Mercurial's module.  A wrapper carries the name, and often ``__module__`` and
``__wrapped__``, of what it wraps, so the only thing that is believed is the namespace
in which the code runs (``__globals__``).

Functions of ours that are in place of Mercurial's (:mod:`.install`) count as what they
stand for.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Collection, Iterable
from typing import Any


@contextlib.contextmanager
def _a_context() -> Any:
    yield


# the code of every function that the decorator for context managers makes
_CONTEXT_MANAGER = _a_context.__code__

# ours -> what it is in place of
_stock_of: dict[Any, Any] = {}


def note_ours(ours: Any, stock: Any) -> None:
    """``ours`` is put in the place of ``stock``, and calls it where it does no better.

    Kept here and not on the function, whose attributes are copied by those who wrap it.
    """
    _stock_of[ours] = stock


def stock_of(function: Any) -> Any:
    """What ``function`` stands for, if it is ours; else itself."""
    while True:
        try:
            function = _stock_of[function]
        except (KeyError, TypeError):
            return function


def home(function: Any) -> str:
    """The name of the module in which ``function`` was written; '' if unknown.

    Of a method, a property, a class method, a static method or a context manager, that
    of the function in it.  Wrappers are not looked through, but for our own.
    """
    function = stock_of(function)
    if getattr(function, '__code__', None) is _CONTEXT_MANAGER:
        return home(function.__wrapped__)
    for attribute in ('__func__', 'fget', 'func'):
        # a bound, class or static method; a property; Mercurial's cached properties
        inner = getattr(function, attribute, None)
        if inner is not None and not hasattr(function, '__code__'):
            return home(inner)
    namespace = getattr(function, '__globals__', None)
    if namespace is None:
        # only what is written in C has a module and no namespace
        if type(function).__name__ in _IN_C:
            return getattr(function, '__module__', None) or ''
        return ''
    found: str = namespace.get('__name__', '')
    return found


_IN_C = ('builtin_function_or_method', 'method_descriptor', 'wrapper_descriptor')


def without(function: Any, wrappers: Iterable[str]) -> Any:
    """``function`` less what ``extensions.wrapfunction`` has put around it from these
    modules, which are known to change nothing that matters to the caller."""
    while home(getattr(function, '_unboundwrapper', None)) in wrappers:
        function = stock_of(function._origfunc)
    return function


def is_of(module: str, *functions: Any) -> bool:
    """Were all ``functions`` written in the module of this name?"""
    return all(home(function) == module for function in functions)


def looked_up(cls: type, name: str) -> Any:
    """The attribute ``name`` as it stands in ``cls`` or the class it inherits it from.

    None if there is none.  Nothing is called: properties are not asked.
    """
    for one in cls.__mro__:
        if name in one.__dict__:
            return one.__dict__[name]
    return None


def methods_are_of(cls: type, modules: Iterable[str], names: Iterable[str]) -> bool:
    """Were all these methods of ``cls`` written in one of these modules?"""
    modules = tuple(modules)
    return all(home(looked_up(cls, name)) in modules for name in names)


def has_own(instance: Any, names: Iterable[str]) -> bool:
    """Was one of these methods put on the object itself?"""
    attributes = getattr(instance, '__dict__', {})
    return any(name in attributes for name in names)


def object_is_of(instance: Any, modules: Iterable[str], names: Iterable[str]) -> bool:
    """Does calling these methods of ``instance`` run code of these modules only?"""
    return not has_own(instance, names) and methods_are_of(
        type(instance), modules, names
    )


def is_in_place(owner: Any) -> bool:
    """Has nobody put another class in the place of the class ``owner``?

    Of a module, yes.
    """
    if not isinstance(owner, type):
        return True
    module = sys.modules.get(owner.__module__)
    return vars(module).get(owner.__name__) is owner if module else False


# rows of what a short way leaves out: a class, and methods of it
Rows = tuple[tuple[type, tuple[str, ...]], ...]


def rows_are_of_mercurial(rows: Rows) -> bool:
    """Were all these methods written in the modules of their classes?

    And are these still the classes there?  Methods that this Mercurial does not have
    are nobody's.
    """
    return all(
        is_in_place(cls)
        and methods_are_of(
            cls, (cls.__module__,), [name for name in names if hasattr(cls, name)]
        )
        for cls, names in rows
    )


def everywhere_of(
    instance: Any, modules: Collection[str], names: Iterable[str]
) -> bool:
    """As :func:`object_is_of`, and of every class that the methods may call.

    That is, each class which the one of ``instance`` inherits from and that has the
    method.
    """
    for name in names:
        if name in instance.__dict__:
            return False
        for cls in type(instance).__mro__:
            function = cls.__dict__.get(name)
            if function is not None and home(function) not in modules:
                return False
    return True


def parts_are_of(owner: Any, names: str, modules: Iterable[str] = ()) -> bool:
    """Were the functions ``names`` of a class or a module written in ``modules``?

    In that of ``owner`` itself, if none is named; a class must then still be the one
    that its module has under that name.
    """
    if not modules and not is_in_place(owner):
        return False
    modules = tuple(modules) or (getattr(owner, '__module__', owner.__name__),)
    return all(home(getattr(owner, name, None)) in modules for name in names.split())


def is_within(function: Any, packages: tuple[str, ...]) -> bool:
    """Was ``function``, with all that is wrapped around it, written below ``packages``?

    These end in a dot.  What ``extensions.wrapfunction`` has put around it is looked
    through; other wrappers are not.
    """
    for _layers in range(20):
        function = stock_of(getattr(function, '__func__', function))
        wrapper = getattr(function, '_unboundwrapper', None)
        if not _is_below(function if wrapper is None else wrapper, packages):
            return False
        if wrapper is None:
            return True
        function = function._origfunc
    return False


def _is_below(function: Any, packages: tuple[str, ...]) -> bool:
    scope = getattr(function, '__globals__', None)
    if scope is None:
        return type(function).__module__ == 'builtins' or str(
            getattr(function, '__module__', '')
        ).startswith(packages)
    return str(scope.get('__name__', '')).startswith(packages)


_REVLOG_MODULES = frozenset(
    ('mercurial.changelog', 'mercurial.repoview', 'mercurial.revlog')
)


def is_plain_revlog_class(cls: type) -> bool:
    """Is this Mercurial's revlog or changelog, as opposed to a bundle's, say?

    By the modules in which it and the classes it is made of were written.
    """
    if cls.__module__ == 'mercurial.revlog' and cls.__mro__ == (cls, object):
        return True
    modules = {one.__module__ for one in cls.__mro__ if one is not object}
    return 'mercurial.changelog' in modules and modules <= _REVLOG_MODULES
