# May this revlog be served?  Answered with a reason, never with a guess.
# SPDX-License-Identifier: GPL-2.0-or-later
"""Compatibility checks.

An opener is examined once: is it the plain store underneath, with a path
encoding we know?  Types are compared exactly, because an extension that wraps a
vfs may change what a path or a read means.  A revlog is then examined for its
format and class.
"""

from __future__ import annotations

from typing import Any

from mercurial import store
from mercurial import vfs as vfsmod

from . import unchanged
from .compat import incoming
from .engine import format


def refusal(opener: Any) -> str | None:
    """Why nothing that ``opener`` opens can be served, or None."""
    if not hasattr(opener, '__dict__'):
        return 'vfs: %s' % type(opener).__name__
    if not getattr(opener, 'rust_compatible', True):
        return 'vfs: asks for no native access (static-http)'
    layer = opener
    if type(layer) is vfsmod.readonlyvfs:
        layer = layer.vfs
    if hasattr(vfsmod.abstractvfs, 'filter_name'):
        return _refusal_by_filter_name(layer)
    return _refusal_by_fncache(layer)


def _refusal_by_filter_name(layer: Any) -> str | None:
    """Mercurial 7.2: every vfs names the path encoding it applies."""
    if layer.filter_name not in (None, 'dot-encode', 'plain'):
        return 'path encoding: %s' % layer.filter_name
    while type(layer) in (store._fncachevfs, vfsmod.filtervfs):
        layer = layer.vfs
    return _refusal_by_type(layer)


def _refusal_by_fncache(layer: Any) -> str | None:
    """Mercurial 7.0 and 7.1: only a store with an fncache."""
    if not hasattr(layer, 'fncache'):
        return 'store: no fncache'
    if type(layer) is not store._fncachevfs:
        return 'vfs: %s' % type(layer).__name__
    plain = getattr(layer, 'uses_plain_encode', False)
    if not (getattr(layer, 'uses_dotencode', False) or plain):
        return 'path encoding: no dotencode'
    return _refusal_by_type(layer.vfs)


def _refusal_by_type(layer: Any) -> str | None:
    if type(layer) is not vfsmod.vfs:
        return 'vfs: %s' % type(layer).__name__
    return None


# what is left out of Mercurial where a file is opened to be appended to
LEFT_OUT: tuple[tuple[Any, str], ...] = (
    (vfsmod.vfs, '__call__ join _auditpath'),
    (vfsmod.filtervfs, '__call__ join'),
    (store._fncachevfs, '__call__ join'),
)


def plain_vfs(opener: Any) -> Any:
    """The vfs below ``opener`` that opens files, if that is all that it does.

    None: it is to be called, because it, or what is around it, has more to do.
    """
    if incoming.REGISTERS_OPENED:
        return None
    layer = opener
    while type(layer) in (store._fncachevfs, vfsmod.filtervfs):
        layer = layer.vfs
    if type(layer) is vfsmod.vfs and '_auditpath' not in layer.__dict__:
        return layer if _opens_plainly() else None
    return None


def _functions() -> tuple[Any, ...]:
    """All functions of :data:`LEFT_OUT`, as they are now."""
    return tuple([getattr(owner, name) for owner, name in _NAMES])


_NAMES = [(owner, name) for owner, names in LEFT_OUT for name in names.split()]
# what was found to be Mercurial's own: asked for each file log that is written
_found_plain: list[tuple[Any, ...]] = []


def _opens_plainly() -> bool:
    functions = _functions()
    if functions in _found_plain:
        return True
    if all(unchanged.parts_are_of(owner, names) for owner, names in LEFT_OUT):
        _found_plain[:] = [functions]
        return True
    return False


def revlog_refusal(rl: Any) -> str | None:
    """Why the loaded revlog ``rl`` cannot be served, or None."""
    if rl._format_version != format.VERSION_1:
        return 'format: revlog %s' % {0: 'v0'}.get(
            rl._format_version, 'version %#x' % rl._format_version
        )
    if rl._docket is not None or rl._sidedatafile is not None:
        return 'format: docket'
    cls = type(rl)
    if not unchanged.is_plain_revlog_class(cls):
        return 'class: %s.%s' % (cls.__module__, cls.__name__)
    return None
