# What is served of a repository, with what, and if not, why.
# SPDX-License-Identifier: GPL-2.0-or-later
"""The facts that ``hg debug::fastrevlog`` shows.

Goals: true about this process and this repository, by opening what there is and
looking at what came of it; of use where nothing works, so each fact about the
surroundings is found by itself, and what cannot be found out says so.
"""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Iterator
from typing import Any, Callable, NamedTuple

from mercurial import encoding, error, extensions, policy, util

from .. import process
from .. import settings as settingsmod

KINDS = ('changelog', 'manifest', 'filelog')


class Setting(NamedTuple):
    """One setting in force; ``source`` is empty for a default."""

    name: bytes
    value: bytes
    source: bytes


class Survey:
    """What was found when the revlogs of a repository were opened.

    ``opened`` and ``served`` map a kind to a number, ``refused`` maps ``(kind,
    reason)`` to one.
    """

    def __init__(self) -> None:
        self.opened = dict.fromkeys(KINDS, 0)
        self.served = dict.fromkeys(KINDS, 0)
        self.refused: dict[tuple[str, str], int] = {}

    def look_at(self, kind: str, open_storage: Callable[[], Any]) -> None:
        """Open one storage object and note what became of it."""
        self.opened[kind] += 1
        try:
            reason = refusal(open_storage())
        except (error.Error, OSError) as exc:
            reason = 'cannot be opened: %s' % process.describe(exc)
        if reason is None:
            self.served[kind] += 1
        else:
            key = (kind, reason)
            self.refused[key] = self.refused.get(key, 0) + 1

    @property
    def any_served(self) -> bool:
        return any(self.served.values())


def refusal(storage: Any) -> str | None:
    """Why a storage object, or a revlog, is not served; None if it is."""
    # what a bundle adds is a revlog, and has one
    rl: Any = (
        storage if hasattr(storage, '_inner') else getattr(storage, '_revlog', None)
    )
    inner = getattr(rl, '_inner', None)
    if inner is None:
        cls = type(storage)
        return 'storage: %s.%s' % (cls.__module__, cls.__name__)
    if getattr(inner, 'is_fastrevlog', False):
        return None
    from ..outer import opening

    return opening.refusal(rl, rl.index) or 'it was opened, or handed back, earlier'


def why_off(ui: Any, repo: Any) -> bytes | None:
    """Why nothing of ``repo`` can be served, as far as that is known in advance."""
    if not ui.configbool(settingsmod.SECTION, b'enabled'):
        source = ui.configsource(settingsmod.SECTION, b'enabled')
        return b'the setting fastrevlog.enabled is no (%s)' % source
    aside = why_aside()
    if aside is not None:
        return aside
    if repo is None:
        return b'there is no repository here'
    from .. import stores

    in_force = stores.of(repo.svfs).settings
    if in_force is None or not in_force.enabled:
        return b'it was set up before this was switched on'
    return None


def why_aside() -> bytes | None:
    """Why this process stands aside, or would."""
    why = process.state.disabled_reason
    if why is None:
        why = generation_found()
        if not why.startswith('unknown'):
            return None
    return b'it stands aside: %s' % why.encode('utf-8', 'replace')


def generation_found() -> str:
    """The generation of Mercurial's API, or ``unknown`` and why."""
    try:
        from .. import install

        found: Any = install.installation().api
        if found is None:
            from mercurial import revlog

            from ..compat import detect

            found = detect.detect(revlog)
    except Exception as exc:
        return 'unknown: %s' % process.describe(exc)
    return found if isinstance(found, str) else found.name


def survey(
    repo: Any, whole_store: bool, limit: int | None, step: Callable[[int, int], None]
) -> Survey:
    """Open the revlogs of ``repo``: those of tip's files, or ``whole_store``.

    At most ``limit`` file logs; ``step(done, all)`` is called for each.
    """
    found = Survey()
    found.look_at('changelog', lambda: repo.unfiltered().changelog)
    manifestlog = repo.manifestlog
    directories, files = _whole_store(repo) if whole_store else _at_tip(repo)
    for directory in [b'', *directories]:
        found.look_at('manifest', functools.partial(manifestlog.getstorage, directory))
    if limit is not None:
        files = files[:limit]
    for done, path in enumerate(files):
        step(done, len(files))
        found.look_at('filelog', functools.partial(repo.file, path))
    return found


def _at_tip(repo: Any) -> tuple[list[bytes], list[bytes]]:
    """Directories with a manifest of their own, and files, at tip."""
    match = repo.narrowmatch()
    manifest = repo[b'tip'].manifest()
    files = [path for path in manifest if match(path)]
    if b'treemanifest' not in repo.requirements:
        return [], files
    directories = {path[: path.rindex(b'/') + 1] for path in files if b'/' in path}
    for directory in list(directories):
        parts = directory.split(b'/')[:-2]
        while parts:
            directories.add(b'/'.join(parts) + b'/')
            parts.pop()
    return sorted(directories), files


def _whole_store(repo: Any) -> tuple[list[bytes], list[bytes]]:
    """Directories with a manifest of their own, and files, of all revisions."""
    directories = []
    files = []
    for entry in repo.store.data_entries():
        if entry.is_revlog and entry.is_manifestlog:
            directories.append(entry.target_id)
        elif entry.is_revlog and entry.is_filelog:
            files.append(entry.target_id)
    return sorted(directories), sorted(files)


def settings(ui: Any) -> list[Setting]:
    """All settings, as they are in force.  Raises ``ConfigError``."""
    loaded = settingsmod.load(ui)
    found = []
    for row in settingsmod.TABLE:
        value = getattr(loaded, row.name.decode().replace('-', '_'), None)
        if value is None:
            value = ui.config(settingsmod.SECTION, row.name) or b''
        elif row.kind == 'bool':
            value = b'yes' if value else b'no'
        else:
            value = b'%d' % value
        source = settingsmod.source(ui, row)
        if row.default is None and row.kind == 'size' and not source:
            source = b'by usage.resources.memory'
        found.append(Setting(row.name, value, source))
    return found


def surroundings(ui: Any) -> Iterator[tuple[bytes, bytes]]:
    """Names and versions of what fastrevlog runs on."""
    for name, find in (
        (b'mercurial', lambda: util.version()),
        (b'mercurial-api', generation_found),
        (b'mercurial-modules', lambda: policy.policy),
        (b'mercurial-rust', _rust),
        (b'extensions', _extensions),
        (b'python', _python),
        (b'zstd', _zstd),
        (b'zstandard-package', _zstandard),
        (b'zlib', _zlib),
        (b'sha1', _sha1),
        (b'platform', _platform),
        (b'cores', _cores),
        (b'workers', lambda: _workers(ui)),
        (b'encoding', lambda: encoding.encoding),
    ):
        try:
            value = find()
        except Exception as exc:
            value = 'unknown: %s' % process.describe(exc)
        if isinstance(value, str):
            value = value.encode('utf-8', 'replace')
        yield name, value


def _extensions() -> bytes:
    return b' '.join(sorted(name for name, _module in extensions.extensions()))


def _rust() -> str:
    rust = policy.importrust('revlog')
    return 'no' if rust is None else 'yes'


def _python() -> str:
    import platform

    return '%s %s' % (platform.python_implementation(), platform.python_version())


def _zstd() -> str:
    from ..engine import compression

    module = compression.zstd_module()
    library = '.'.join(map(str, module.ZSTD_VERSION))
    return '%s %s, libzstd %s' % (module.__name__, module.__version__, library)


def _zstandard() -> str:
    import importlib.metadata

    try:
        return importlib.metadata.version('zstandard')
    except importlib.metadata.PackageNotFoundError:
        return 'not installed'


def _zlib() -> str:
    import zlib

    return zlib.ZLIB_RUNTIME_VERSION


def _sha1() -> str:
    import hashlib

    if type(hashlib.sha1(usedforsecurity=False)).__module__ != '_hashlib':
        return 'built into Python'
    import ssl

    return ssl.OPENSSL_VERSION


def _platform() -> str:
    import platform

    return '%s, %d-bit' % (platform.platform(), 64 if sys.maxsize > 1 << 32 else 32)


def _cores() -> str:
    from ..workers import cpus

    return '%d of %d' % (cpus.usable_cores(), os.cpu_count() or 1)


class NodeMap(NamedTuple):
    """The node map of one revlog: revisions in it, not in it, why it is not asked."""

    kind: bytes
    revisions: int
    behind: int
    why_not: bytes | None


def node_maps(repo: Any) -> list[NodeMap]:
    """How the node maps of changelog and manifest stand; none if there are none."""
    if b'persistent-nodemap' not in repo.requirements:
        return []
    unfiltered = repo.unfiltered()
    manifest = unfiltered.manifestlog.getstorage(b'')
    found = []
    for kind, rl in (
        (b'changelog', unfiltered.changelog),
        (b'manifest', getattr(manifest, '_revlog', manifest)),
    ):
        index = rl.index
        length = len(index)
        if hasattr(type(index), 'why_not'):
            why = index.why_not and index.why_not.encode('utf-8', 'replace')
            found.append(NodeMap(kind, length - index.behind, index.behind, why))
        else:
            found.append(NodeMap(kind, 0, length, b'fastrevlog does not serve it'))
    return found


def _workers(ui: Any) -> str:
    """How many processes a long command would use here, or why there would be none."""
    from ..workers import decision

    number, _set, reason = decision.workers_for(ui)
    return 'none (%s)' % reason if reason else '%d' % number


def history_in_one_process(repo: Any) -> str:
    """Why no workers show the history of ``repo``; empty if they may."""
    from ..operations.history import plain
    from ..workers import decision

    _number, _set, reason = decision.workers_for(repo.ui)
    return reason or plain.refusal(repo.ui, repo, buffered=True) or ''
