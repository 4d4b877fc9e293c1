# fastrevlog: a fast storage layer for plain installations of Mercurial.
# SPDX-License-Identifier: GPL-2.0-or-later
"""reading history made faster, for plain installations of Mercurial

Mercurial keeps history in files called revlogs. With this extension they are read
and written by an engine of its own, made of Python over the C code that comes with
Mercurial and Python. Commands that read history get faster. Their output stays the
same, and so does what they write, byte for byte: the extension can be switched on
and off at any time, and repositories are shared with people who do not have it.

To see whether it is on here, for what, and if not why::

  hg debug::fastrevlog

To measure what it does for a repository, changing nothing::

  hg perf::fastrevlog

To do without it for one command, whatever the other settings say::

  hg COMMAND --config fastrevlog.enabled=no

What it serves: changelog, manifests and file logs in the format that Mercurial
writes by default (revlog v1, with or without generaldelta and sparse-revlog), of
local repositories, and on a server of those that it serves.

What it leaves to Mercurial's own code: other formats (revlog v0, v2, changelog-v2);
repositories of plain files behind a web server (static-http), and what a bundle or
union repository adds; stores whose files an extension opens in a way of its own, or
that encode paths in the oldest ways; everything, if Mercurial runs its own storage in
Rust; and everything, if this version of Mercurial does not look like one that
fastrevlog knows (7.0, 7.1, 7.2). ``hg debug::fastrevlog`` names the reason.

Settings, in the section ``[fastrevlog]``; the defaults are right for nearly
everybody:

``enabled``
    Whether to do anything at all. (default: yes)

``cache-memory``
    How much memory the caches of texts of a repository may take, such as ``100
    MB``; 0 for no caches. The caches of all repositories that a process has open
    take no more together than the largest of these. (default: by
    ``usage.resources.memory``: 16 MB if it is ``low``, 64 MB if ``medium``, 256 MB
    if ``high``)

``check``
    How texts that are read from the local store are checked against their hash.
    ``fast``: with Python's ``hashlib``, and where that finds a mismatch with
    Mercurial's function before anything is reported. ``collision-detection``:
    always with Mercurial's function, which detects attacks on SHA-1, and takes two
    to three times as long. New and incoming revisions, and ``hg verify``, have
    collision detection in any case. (default: ``fast``)

``verify-check``
    How ``hg verify`` checks texts against their hash, as ``check``. ``fast`` finds
    all damage, and attacks on SHA-1 no more. (default: ``collision-detection``)

``workers``
    How many processes work at once where work is shared out, as ``hg verify``, ``hg
    unbundle`` and ``hg pull`` do; 1 for no other process, 0 for one for each core.
    The older name ``verify-workers`` means the same. (default: 0)

``workers-for-clients``
    Whether a server does so, too, when it works for a client: a command server, as
    ``chg`` uses one, shows history by several processes. ``hg verify`` has them in
    any case, and a server with threads, as ``hg serve``, never. (default: no)

``over-rust``
    Whether to serve also where Mercurial would use its own storage in Rust.
    (default: no)

``report``
    A file to which each process appends a line of JSON when it ends: how many
    revlogs were served, how many refused and why. For tests. (default: none)

A value that is none of these is an error, as for Mercurial's own settings.
"""

from __future__ import annotations

import os
import sys
import weakref
from typing import Any

from mercurial import error, extensions, exthelper, scmutil

from . import metadata, process, settings

__version__ = metadata.__version__
testedwith = metadata.testedwith
minimumhgversion = metadata.minimumhgversion
buglink = metadata.buglink

eh = exthelper.exthelper()
eh.merge(settings.eh)


def _loaded_before() -> str | None:
    """The name of a module that is this extension as well, loaded by another name."""
    for _name, module in extensions.extensions():
        other = getattr(module, '__name__', '')
        if other != __name__ and hasattr(module, 'is_fastrevlog'):
            return other
    return None


is_fastrevlog = True
_loaded_as = _loaded_before()
_why_not = None
if _loaded_as is None:
    try:
        from .debug import commands

        eh.merge(commands.eh)
    except Exception as exc:
        # a Mercurial that lacks what they are made of
        _why_not = process.describe(exc)
else:
    # settings and commands are registered, and hooks are in place or will be
    eh = exthelper.exthelper()
    _why_not = 'it is loaded as %s' % _loaded_as


@eh.uisetup
def _uisetup(ui: Any) -> None:
    if _why_not is not None:
        process.disable(ui, _why_not)
    if _loaded_as is None:
        _report(ui, at_exit=True)


@eh.extsetup
def _extsetup(ui: Any) -> None:
    """A server forks for each command (``chg``) or lives long: load all of it now."""
    if 'serve' not in sys.argv[1:] or process.state.disabled_reason is not None:
        return
    try:
        from . import install

        # also where it is not enabled: a command may come with another setting
        install.install(ui)
    except Exception:
        # for the first repository to find out, and to say
        return


@eh.wrapfunction(scmutil, 'readrequires')
def _readrequires(orig: Any, *args: Any, **kwargs: Any) -> Any:
    """A repository is being opened: does it have a node map?

    Whether it opens then is decided before anything of ours is in place.
    """
    requirements = orig(*args, **kwargs)
    if b'persistent-nodemap' in requirements:
        _hook_slow_path()
    return requirements


def _hook_slow_path() -> None:
    if process.state.slow_path_hooked:
        return
    process.state.slow_path_hooked = True
    try:
        from .compat import slowpath

        slowpath.hook(_serves)
    except Exception:
        # then such repositories open as they do without us
        return


def _serves(ui: Any) -> bool:
    """Is everything in place to serve repositories with this configuration?"""
    if not ui.configbool(settings.SECTION, b'enabled'):
        return False
    if process.state.disabled_reason is not None:
        return False
    try:
        from . import install

        return not isinstance(install.install(ui), str)
    except error.Error:
        raise
    except Exception:
        # for reposetup to find out, and to say
        return False


def _report(ui: Any, at_exit: bool = False) -> None:
    report = ui.configpath(settings.SECTION, b'report')
    if report:
        args = [os.fsencode(arg) for arg in sys.argv[1:]]
        if at_exit:
            process.report_at_exit(report, args)
        else:
            process.report_request(ui, report, args)


@eh.reposetup
def _reposetup(ui: Any, repo: Any) -> None:
    if not repo.local() or process.state.disabled_reason is not None:
        return
    enabled = ui.configbool(settings.SECTION, b'enabled')
    if not enabled and process.state.installation is None:
        # another repository of this process may be served
        process.state.off.append(weakref.ref(repo.svfs))
        return
    try:
        from . import install, stores

        if isinstance(install.install(ui), str):
            return
        stores.attach(repo, settings.of(ui))
        if enabled:
            _hook_slow_path()  # a clone or an upgrade may add a node map
            _report(ui)
            process.shorten_exit()
    except error.Error:
        # an invalid setting
        raise
    except Exception as exc:
        process.disable(ui, process.describe(exc))
        if process.state.installation is not None:
            process.state.installation.take_out()


cmdtable = eh.cmdtable
configtable = eh.configtable
uisetup = eh.finaluisetup
extsetup = eh.finalextsetup
reposetup = eh.finalreposetup
uipopulate = eh.finaluipopulate
