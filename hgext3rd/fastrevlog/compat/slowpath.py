# What decides whether a repository with a node map opens without a warning.
# SPDX-License-Identifier: GPL-2.0-or-later
"""Mercurial and the requirement ``persistent-nodemap``.

Without Rust, Mercurial warns of a "slow path" or refuses to open such a repository,
as ``storage.revlog.persistent-nodemap.slow-path`` says, in the function that turns
requirements into the options of a store.  Where fastrevlog will serve the repository
there is no slow path: the function is then called with a copy of the configuration
that allows it.  Nothing else in Mercurial reads that setting.

This is hooked in when the requirements of a repository are first seen to name it.
"""

from __future__ import annotations

from typing import Any, Callable

from mercurial import error, extensions, localrepo

REQUIREMENT = b'persistent-nodemap'
_SECTION = b'storage'
_SETTING = b'revlog.persistent-nodemap.slow-path'
_ALL = b'all-slow-path'
_VALUES = (b'allow', b'warn', b'abort')
# formats of the changelog that are not served
_OTHER_FORMATS = (b'exp-changelog-v2', b'exp-revlogv2.2')

# Is the whole of fastrevlog in place for a repository with this configuration?
Serves = Callable[[Any], bool]


def hook(serves: Serves) -> None:
    """Replace the function that decides; ``mercurial.localrepo`` is loaded."""
    where: Any = localrepo
    name = 'resolverevlogstorevfsoptions'
    if not hasattr(where, name):
        # Mercurial 7.2
        where = getattr(localrepo, 'vfs_opts', None)
        name = 'resolve_revlog_store_vfs_options'
    if getattr(where, name, None) is None:
        return

    def options(orig: Any, ui: Any, requirements: Any, features: Any) -> Any:
        if (
            REQUIREMENT not in requirements
            or not _is_plain_format(requirements)
            or not serves(ui)
        ):
            return orig(ui, requirements, features)
        if not _is_valid(ui):
            try:
                # Mercurial says so, and may then refuse
                return orig(ui, requirements, features)
            except error.Abort:
                pass
        allowing = ui.copy()
        allowing.setconfig(_SECTION, _SETTING, b'allow', b'fastrevlog')
        return orig(allowing, requirements, features)

    extensions.wrapfunction(where, name, options)


def _is_valid(ui: Any) -> bool:
    value = ui.config(_SECTION, _SETTING)
    if value == b'default':
        value = ui.config(_SECTION, _ALL)
    return value in _VALUES


def _is_plain_format(requirements: Any) -> bool:
    """Would changelog and manifest be served, as far as requirements tell?"""
    if b'revlogv1' not in requirements:
        return False
    if any(other in requirements for other in _OTHER_FORMATS):
        return False
    return b'fncache' not in requirements or b'dotencode' in requirements
