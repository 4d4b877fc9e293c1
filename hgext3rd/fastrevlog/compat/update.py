# Where each Mercurial keeps the applying of an update.
# SPDX-License-Identifier: GPL-2.0-or-later
"""Mercurial 7.2 moved from ``merge`` to ``merge_utils.update`` what writes files."""

from __future__ import annotations

from typing import Any

from .detect import arguments_of

_APPLY = 'repo mresult wctx mctx overwrite wantfiledata labels'
_GET = 'repo mctx wctx wantfiledata actions'


def action_get(holder: Any) -> Any:
    """The action that gets a file, in the module ``holder`` that applies updates.

    None where that module is not as we know it.
    """
    if holder.__name__ == 'mercurial.merge':
        apply, actions = 'applyupdates', 'mergestatemod'
    else:
        apply, actions = 'apply_updates', 'merge_utils'
    if (
        arguments_of(getattr(holder, 'batchget', None)) != _GET
        or arguments_of(getattr(holder, apply, None)) != _APPLY
    ):
        return None
    return getattr(getattr(holder, actions, None), 'ACTION_GET', None)
