# Where each Mercurial keeps the applying of an update.
# SPDX-License-Identifier: GPL-2.0-or-later
"""Mercurial 7.2 moved from ``merge`` to ``merge_utils.update`` what writes files."""

from __future__ import annotations

from typing import Any, NamedTuple

from .detect import arguments_of

_APPLY = 'repo mresult wctx mctx overwrite wantfiledata labels'
_GET = 'repo mctx wctx wantfiledata actions'


class Updating(NamedTuple):
    """A module, its function that applies an update, the action that gets files."""

    holder: Any
    apply_name: str
    action_get: Any


def locate(merge: Any) -> Updating | None:
    """Where updates are applied; None where that is not as we know it."""
    holder, name, actions = merge, 'applyupdates', 'mergestatemod'
    if not hasattr(merge, 'batchget'):
        try:
            from mercurial.merge_utils import update
        except ImportError:
            return None
        holder, name, actions = update, 'apply_updates', 'merge_utils'
    get = getattr(getattr(holder, actions, None), 'ACTION_GET', None)
    if (
        get is None
        or arguments_of(getattr(holder, 'batchget', None)) != _GET
        or arguments_of(getattr(holder, name, None)) != _APPLY
    ):
        return None
    return Updating(holder, name, get)
