# What to do next, where fastrevlog does not serve what it could.
# SPDX-License-Identifier: GPL-2.0-or-later
"""One line of advice for ``hg debug::fastrevlog``; none where all is well.

The first thing that is off decides: what keeps fastrevlog from serving anything comes
before what keeps it from serving a part.
"""

from __future__ import annotations

from typing import Any

from mercurial import util
from mercurial.i18n import _

from .. import metadata
from .. import settings as settingsmod
from . import status

_UPGRADE = _(
    b"'hg debugupgraderepo' shows how to bring this repository to a format that is"
    b' served'
)
_ANOTHER = _(
    b"another extension has put its own storage in the place of Mercurial's; find it"
    b" with '--config extensions.NAME=!'"
)
_RUST = _(
    b'nothing: Mercurial runs its own Rust storage here, and keeps it (setting'
    b' fastrevlog.over-rust)'
)

# the beginning of a reason: what to do about it; nothing about what is as it should be
_BY_REASON: tuple[tuple[str, bytes | None], ...] = (
    ('class: mercurial.bundlerepo.', None),
    ('class: mercurial.unionrepo.', None),
    ('vfs: asks for no native access', None),
    ('rust: ', _RUST),
    ('format: ', _UPGRADE),
    ('path encoding: ', _UPGRADE),
    ('store: no fncache', _UPGRADE),
    ('vfs: ', _ANOTHER),
    ('class: ', _ANOTHER),
    ('storage: ', _ANOTHER),
    ('cannot be opened: ', _(b"run 'hg verify': not all of it can be read")),
)


def next_step(ui: Any, repo: Any, found: status.Survey, trouble: bool) -> bytes | None:
    """What to do next, or None where nothing is off.

    ``trouble`` is whether something of ours has failed in this process.
    """
    report = _(b'please report this page: %s') % metadata.buglink
    if trouble:
        return report
    if not ui.configbool(settingsmod.SECTION, b'enabled'):
        return _(b'to switch it on: remove fastrevlog.enabled=no, or set it to yes')
    if status.why_aside() is not None:
        return _(
            b'look for a fastrevlog that knows Mercurial %s; if there is none, %s'
        ) % (util.version(), report)
    if repo is None:
        return _(b'run this inside a repository')
    for _kind, reason in sorted(found.refused):
        known = [advice for start, advice in _BY_REASON if reason.startswith(start)]
        advice = known[0] if known else report
        if advice is not None:
            return advice
    return None
