# fastrevlog: a fast storage layer for plain installations of Mercurial.
# SPDX-License-Identifier: GPL-2.0-or-later
"""a fast storage layer for repositories, in Python over the C that is there

Mercurial's storage of history (revlogs) is read and written by an engine of this
extension instead of Mercurial's own. Commands that read history get faster; their
output, and the repositories they write, stay the same byte for byte.
"""

from __future__ import annotations

import sys
from typing import Any

from mercurial import error, exthelper

from . import metadata, settings

__version__ = metadata.__version__
testedwith = metadata.testedwith
minimumhgversion = metadata.minimumhgversion
buglink = metadata.buglink

eh = exthelper.exthelper()
eh.merge(settings.eh)


@eh.reposetup
def _reposetup(ui: Any, repo: Any) -> None:
    if not repo.local():
        return
    if not ui.configbool(settings.SECTION, b'enabled'):
        # another repository of this process may be served
        settings.attach(repo, settings.OFF)
        return
    from . import fallback

    if fallback.standing.aside is not None:
        return
    try:
        from . import hooks

        hooks.install(ui)
        hooks.attach(ui, repo)
    except error.Error:
        # a setting that is none
        raise
    except Exception as exc:
        fallback.stand_aside(ui, fallback.describe(exc))


@eh.uisetup
def _uisetup(ui: Any) -> None:
    report = ui.configpath(settings.SECTION, b'report')
    if report:
        from . import accounting

        accounting.report_at_exit(report, [arg.encode() for arg in sys.argv[1:]])


cmdtable = eh.cmdtable
configtable = eh.configtable
uisetup = eh.finaluisetup
extsetup = eh.finalextsetup
reposetup = eh.finalreposetup
uipopulate = eh.finaluipopulate
