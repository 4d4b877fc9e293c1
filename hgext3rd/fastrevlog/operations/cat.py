# Many files shown by `hg cat`.
# SPDX-License-Identifier: GPL-2.0-or-later
"""``hg cat`` of a folder, of a pattern or of many files reads each of them once.

Mercurial's function walks and writes; the changeset that it gets reads its files
as for an archive (:mod:`.archive`).  A list (``-T``), files to be written
(``-o``), and whatever an extension adds to what is shown ask a file for more than
its data, and are left alone.
"""

from __future__ import annotations

from typing import Any

from mercurial import formatter

from .. import process, unchanged
from ..compat.detect import arguments_of
from . import archive

# files that are named one by one; fewer are not worth the preparation
_MANY = 20


def make_cat(place: Any) -> Any:
    """For ``cmdutil.cat``."""
    orig = place.stock
    module = place.holder
    if (
        arguments_of(getattr(module, '_updatecatformatter', None))
        != 'fm ctx matcher path decode'
    ):
        return None

    def cat(
        ui: Any,
        repo: Any,
        ctx: Any,
        matcher: Any,
        basefm: Any,
        fntemplate: Any,
        *args: Any,
        **opts: Any,
    ) -> Any:
        if (
            type(basefm) is formatter.plainformatter
            and not fntemplate
            and unchanged.is_of('mercurial.cmdutil', module._updatecatformatter)
        ):
            try:
                if _shows_many(ctx, matcher):
                    ctx = archive.prepared(repo, ctx)
            except archive.EXPECTED:
                pass  # Mercurial finds the words
            except Exception as exc:
                process.internal_error(exc)
        return orig(ui, repo, ctx, matcher, basefm, fntemplate, *args, **opts)

    return cat


def _shows_many(ctx: Any, matcher: Any) -> bool:
    """Is it likely that ``matcher`` finds many files?

    The manifest is only asked where Mercurial asks it as well.
    """
    names = matcher.files()
    if matcher.anypats() or len(names) >= _MANY:
        return True
    # a folder: one name may be looked up without reading the whole manifest
    return any(not archive.is_file(ctx, name) for name in names)
