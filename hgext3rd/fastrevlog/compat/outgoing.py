# What versions of Mercurial differ in where they write changegroups.
# SPDX-License-Identifier: GPL-2.0-or-later
"""Mercurial 7.0 does not know ``devel.bundle.delta = prev``, and says so."""

from __future__ import annotations

from mercurial import changegroup


def _delta_modes() -> frozenset[bytes]:
    """The values of ``devel.bundle.delta`` that ``deltagroup`` compares with."""
    code = getattr(getattr(changegroup, 'deltagroup', None), '__code__', None)
    for constant in getattr(code, 'co_consts', ()):
        if isinstance(constant, tuple) and b'full' in constant:
            return frozenset(constant)
    return frozenset([b''])


DELTA_MODES = _delta_modes()
