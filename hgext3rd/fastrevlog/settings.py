# The settings of [fastrevlog], and Mercurial's configuration as the engine reads it.
# SPDX-License-Identifier: GPL-2.0-or-later
"""One table, :data:`TABLE`, says what settings there are.

They are registered and loaded from it; the help page, the README's table and what
``hg debug::fastrevlog`` shows are made from it or checked against it
(``tests/test_settings.py``).
"""

from __future__ import annotations

from typing import Any, NamedTuple

from mercurial import error, exthelper
from mercurial.i18n import _

eh = exthelper.exthelper()

SECTION = b'fastrevlog'
CHECKS = (b'fast', b'collision-detection')


class Setting(NamedTuple):
    """A row: the name, the default that is registered, what values are, what for.

    ``kind`` is ``bool``, ``number`` (0 or more), ``size`` (bytes), ``path``, or the
    values to choose from.  ``default_words`` is what the help says of the default;
    ``alias`` is an older name.
    """

    name: bytes
    default: Any
    kind: str | tuple[bytes, ...]
    default_words: bytes
    help: bytes
    alias: bytes | None = None


TABLE = (
    Setting(b'enabled', True, 'bool', b'yes', b'Whether to do anything at all.'),
    Setting(
        b'cache-memory',
        None,
        'size',
        b'by ``usage.resources.memory``: 16 MB if it is ``low``, 64 MB if ``medium``,'
        b' 256 MB if ``high``',
        b'How much memory the caches of texts of a repository may take, such as'
        b' ``100 MB``; 0 for no caches. The caches of all repositories that a process'
        b' has open take no more together than the largest of these.',
    ),
    Setting(
        b'check',
        CHECKS[0],
        CHECKS,
        b'``fast``',
        b'How texts that are read from the local store are checked against their hash.'
        b" ``fast``: with Python's ``hashlib``, and where that finds a mismatch with"
        b" Mercurial's function before anything is reported. ``collision-detection``:"
        b" always with Mercurial's function, which detects attacks on SHA-1, and takes"
        b' two to three times as long. New and incoming revisions, and ``hg verify``,'
        b' have collision detection in any case.',
    ),
    Setting(
        b'verify-check',
        CHECKS[1],
        CHECKS,
        b'``collision-detection``',
        b'How ``hg verify`` checks texts against their hash, as ``check``. ``fast``'
        b' finds all damage, and attacks on SHA-1 no more.',
    ),
    Setting(
        b'workers',
        0,
        'number',
        b'0',
        b'How many processes work at once where work is shared out, as ``hg verify``,'
        b' ``hg unbundle`` and ``hg pull`` do; 1 for no other process, 0 for one for'
        b' each core. The older name ``verify-workers`` means the same.',
        alias=b'verify-workers',
    ),
    Setting(
        b'workers-for-clients',
        False,
        'bool',
        b'no',
        b'Whether a server does so, too, when it works for a client: a command server,'
        b' as ``chg`` uses one, shows history by several processes. ``hg verify`` has'
        b' them in any case, and a server with threads, as ``hg serve``, never.',
    ),
    Setting(
        b'over-rust',
        False,
        'bool',
        b'no',
        b'Whether to serve also where Mercurial would use its own storage in Rust.',
    ),
    Setting(
        b'report',
        None,
        'path',
        b'none',
        b'A file to which each process appends a line of JSON when it ends: how many'
        b' revlogs were served, how many refused and why. For tests.',
    ),
)

for _row in TABLE:
    eh.configitem(
        SECTION,
        _row.name,
        default=_row.default,
        alias=[(SECTION, _row.alias)] if _row.alias else [],
    )


# why something is done by one process, on standard error
eh.configitem(b'devel', b'debug.fastrevlog', default=False)


class Settings(NamedTuple):
    """What the user asked for in ``[fastrevlog]``, of one repository."""

    enabled: bool = True
    over_rust: bool = False
    cache_memory: int = 64 << 20  # bytes
    collision_detection: bool = False
    workers: int = 0  # processes; 0: one for each core
    verify_fast: bool = False
    workers_for_clients: bool = False


OFF = Settings(enabled=False)


def load(ui: Any) -> Settings:
    """The settings in force.  Raises ``ConfigError`` for invalid values."""
    return Settings(
        ui.configbool(SECTION, b'enabled'),
        ui.configbool(SECTION, b'over-rust'),
        _cache_memory(ui),
        _check(ui, b'check') == b'collision-detection',
        workers(ui),
        _check(ui, b'verify-check') == b'fast',
        ui.configbool(SECTION, b'workers-for-clients'),
    )


def _check(ui: Any, name: bytes) -> bytes:
    check: bytes = ui.config(SECTION, name)
    if check not in CHECKS:
        raise error.ConfigError(
            _(b"fastrevlog.%s is '%s', expected one of: %s")
            % (name, check, b', '.join(CHECKS))
        )
    return check


def of(ui: Any) -> Settings:
    """As :func:`load`; where fastrevlog is off, nothing else is looked at."""
    return load(ui) if ui.configbool(SECTION, b'enabled') else OFF


def _cache_memory(ui: Any) -> int:
    if ui.config(SECTION, b'cache-memory') is not None:
        memory: int = ui.configbytes(SECTION, b'cache-memory')
        if memory < 0:
            raise error.ConfigError(
                _(b'fastrevlog.cache-memory is %d, expected 0 or more') % memory
            )
        return memory
    from .engine import options

    profile = ui.config(b'usage', b'resources.memory') or ui.config(
        b'usage', b'resources'
    )
    return options.MEMORY_PROFILES.get(
        profile, options.MEMORY_PROFILES[options.DEFAULT_PROFILE]
    )


def workers(ui: Any) -> int:
    """How many processes shall work at once.  Raises ``ConfigError``."""
    number: int = ui.configint(SECTION, b'workers')
    if number < 0:
        raise error.ConfigError(
            _(b'fastrevlog.workers is %d, expected 0 or more') % number
        )
    return number


def source(ui: Any, row: Setting) -> bytes:
    """Where the value in force of a setting comes from; empty for a default."""
    for name in (row.name, row.alias):
        if name is not None:
            found: bytes = ui.configsource(SECTION, name)
            if found not in (b'default', b'', b'none'):
                return found
    return b''


def read_options(data_config: Any) -> Any:
    """The engine's frozen options of reading, from Mercurial's configuration."""
    from .engine import options

    return options.ReadOptions(
        data_config.with_sparse_read,
        data_config.sr_density_threshold,
        data_config.sr_min_gap_size,
    )
