# One object per store: what is known and configured for it.
# SPDX-License-Identifier: GPL-2.0-or-later
"""What one repository's configuration decides hangs on the opener of its store.

A process may hold many repositories (a web server, a command server, subrepositories,
a pull from a path).  Each has a :class:`Store`, the one attribute that we set on an
opener of Mercurial's: settings, whom to tell of trouble, the engine's view of the
files with the memory its caches may take and the way hashes are checked, the
templates of file logs, and why it is not served.

Mercurial puts an opener around an opener (a read-only one, say).  Each gets an object
of its own, because paths are encoded by the opener, and shares everything else with
the one below.

An opener to which no repository was attached is not served: nobody can say whether
its owner wants it to be.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from . import eligibility, process
from . import settings as settingsmod
from .engine import caches, hashing
from .engine import vfs as enginevfs

ATTRIBUTE = '_fastrevlog_store'
_LAYERS = 3  # openers around openers that are looked through
_NO_REPOSITORY = 'store: no repository was set up for it'
# attributes of a repository that hold open revlogs, in Mercurial's cache of files
_OPEN_REVLOGS = ('changelog', 'manifestlog')


class Store:
    """One opener of a store.

    ``base`` is the object of the opener below that a repository was attached to, or
    None.  ``templates`` maps what Mercurial was asked for to a
    :class:`.outer.templates.TemplateCache`; an opener with a ``base`` has none.
    """

    __slots__ = (
        'opener',
        'base',
        'templates',
        'share',
        'hash_policy',
        '_settings',
        '_ui',
        '_files',
        '_refusal',
    )

    def __init__(self, opener: Any, base: Store | None = None) -> None:
        self.opener = opener
        self.base = base
        self.templates: dict[Any, Any] = {}
        self.share: caches.Share | None = None if base is None else base.share
        self.hash_policy: hashing.HashPolicy = (
            hashing.HashPolicy() if base is None else base.hash_policy
        )
        self._settings: settingsmod.Settings | None = None
        self._ui: Any = None
        self._files: enginevfs.StoreVFS | None = None
        self._refusal: str | None = None

    @property
    def settings(self) -> settingsmod.Settings | None:
        """The settings of its repository; None if it is of none."""
        return self._settings if self.base is None else self.base._settings

    @property
    def ui(self) -> Any:
        """Whom to tell of trouble, or None."""
        return self._ui if self.base is None else self.base._ui

    @property
    def enabled(self) -> bool:
        settings = self.settings
        return settings is not None and settings.enabled

    @property
    def refusal(self) -> str | None:
        """Why nothing of this store can be served, whatever revlog; None if it can.

        The opener is examined once: thousands of file logs ask.
        """
        if self._files is None and self._refusal is None:
            self._examine()
        return self._refusal

    @property
    def files(self) -> enginevfs.StoreVFS:
        """The engine's view of the store; only where there is no :attr:`refusal`."""
        if self._files is None:
            self._examine()
        assert self._files is not None, self._refusal
        return self._files

    def _examine(self) -> None:
        reason = eligibility.refusal(self.opener)
        if reason is None and (self.settings is None or self.share is None):
            reason = _NO_REPOSITORY
        self._refusal = reason
        if reason is None:
            self._files = enginevfs.StoreVFS(
                self.opener,
                share=self.share,
                hash_policy=self.hash_policy,
                plain_vfs=eligibility.plain_vfs,
            )

    @contextlib.contextmanager
    def overriding(self, enabled: bool) -> Iterator[None]:
        """Serve, or do not serve, the revlogs that are opened within this context."""
        settings, templates = self._settings, self.templates
        if settings is None:
            yield
            return
        self._settings = settings._replace(enabled=enabled)
        if not enabled:
            self.templates = {}
        try:
            yield
        finally:
            self._settings, self.templates = settings, templates

    def configure(self, settings: settingsmod.Settings, ui: Any) -> None:
        """Put ``settings`` in force from now on; those of ``ui``."""
        before = self._settings
        self._settings = settings
        self._ui = ui
        if settings == before:
            return
        if self.share is None:
            self.share = caches.Share(settings.cache_memory)
            self._files = self._refusal = None
        elif self.share.asked != settings.cache_memory:
            self.share.ask(settings.cache_memory)
        if settings.collision_detection and not self.hash_policy.collision_detection:
            self.share.clear()  # what was checked in another way
        self.hash_policy.collision_detection = settings.collision_detection
        self.templates.clear()


def of(opener: Any) -> Store:
    """The object of ``opener``; made when it is first asked for."""
    try:
        store: Store = opener.__dict__[ATTRIBUTE]
        return store
    except KeyError:
        pass
    except AttributeError:
        return Store(opener)
    made = opener.__dict__[ATTRIBUTE] = Store(opener, _attached_below(opener))
    return made


def _attached_below(opener: Any) -> Store | None:
    layer = opener
    for _ in range(_LAYERS):
        layer = getattr(layer, '__dict__', {}).get('vfs')
        store = getattr(layer, '__dict__', {}).get(ATTRIBUTE)
        if store is not None and store._settings is not None:
            found: Store = store
            return found
    return None


def attach(repo: Any, settings: settingsmod.Settings) -> None:
    """Let the store of ``repo`` know the settings of the repository.

    Revlogs that are open already follow: those of another way of reading than is
    asked for now are opened again when they are next used.
    """
    svfs = getattr(repo, 'svfs', None)
    if not hasattr(svfs, '__dict__'):
        return
    store = of(svfs)
    if store.base is not None:
        # it was seen before its repository was set up
        store = svfs.__dict__[ATTRIBUTE] = Store(svfs)
    _attach_those_off()
    before = store.settings
    store.configure(settings, repo.ui)
    unfiltered = repo.unfiltered()
    _attach_second(unfiltered)
    if before is None:
        _adopt(unfiltered, store)
    elif (before.enabled, before.over_rust) != (settings.enabled, settings.over_rust):
        unfiltered.invalidate(clearfilecache=True)


def _attach_second(repo: Any) -> None:
    """The second of the repositories in a union is not announced to extensions.

    It may have been made before anything of ours was in place.
    """
    second = vars(repo).get('repo2')
    if hasattr(second, 'svfs') and of(second.svfs).settings is None:
        attach(second, settingsmod.of(second.ui))


def _attach_those_off() -> None:
    """Repositories that are off are looked at when another one is not."""
    while process.state.off:
        svfs = process.state.off.pop()()
        if svfs is not None:
            of(svfs).configure(settingsmod.OFF, None)


def refresh(repo: Any) -> None:
    """Take notice of settings that came with a command.  Raises ``ConfigError``.

    A command server keeps a repository for many commands, and gives it another ui
    for each.
    """
    svfs = getattr(repo, 'svfs', None)
    store = getattr(svfs, '__dict__', {}).get(ATTRIBUTE)
    if store is not None and store.settings is not None and store.ui is not repo.ui:
        attach(repo, settingsmod.of(repo.ui))


def _adopt(repo: Any, store: Store) -> None:
    """Let revlogs that were opened for another object of ``repo`` be of this one.

    A command server for ``chg`` opens the changelog before it forks, and hands it on.
    """
    known = getattr(repo, '_filecache', {})
    for name in _OPEN_REVLOGS:
        entry = known.get(name) or known.get(name.encode())
        for rl in _revlogs_in(getattr(entry, 'obj', None)):
            if not getattr(rl._inner, 'is_fastrevlog', False):
                continue
            if not store.enabled:
                repo.invalidate(clearfilecache=True)
                return
            rl._inner.storage = of(rl.opener).files


def _revlogs_in(holder: Any) -> list[Any]:
    """The revlogs in a changelog, or in the manifestlog; empty for None."""
    if hasattr(holder, '_inner'):
        return [holder]
    root = getattr(getattr(holder, '_rootstore', None), '_revlog', None)
    return [root] if hasattr(root, '_inner') else []


def make_makelocalrepository(place: Any) -> Any:
    """For ``localrepo.makelocalrepository``, which makes all but the first.

    The repositories in a union, and the new one of a clone, are used without being
    set up by extensions, or before.
    """
    orig = place.stock

    def makelocalrepository(*args: Any, **kw: Any) -> Any:
        repo = orig(*args, **kw)
        attach(repo, settingsmod.of(repo.ui))
        return repo

    return makelocalrepository


def make_runcommand(place: Any) -> Any:
    """For ``dispatch.runcommand``, which runs every command."""
    orig = place.stock

    def runcommand(lui: Any, repo: Any, *args: Any, **kw: Any) -> Any:
        if repo is not None:
            refresh(repo)
        return orig(lui, repo, *args, **kw)

    return runcommand
