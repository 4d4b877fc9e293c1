# The settings of [fastrevlog], and Mercurial's configuration as the engine reads it.
# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from typing import Any, NamedTuple

from mercurial import error, exthelper
from mercurial.i18n import _

eh = exthelper.exthelper()

SECTION = b'fastrevlog'
CHECKS = (b'fast', b'collision-detection')

eh.configitem(SECTION, b'enabled', default=True)
eh.configitem(SECTION, b'over-rust', default=False)
eh.configitem(SECTION, b'cache-memory', default=None)
eh.configitem(SECTION, b'check', default=b'fast')
eh.configitem(SECTION, b'verify-workers', default=0)
eh.configitem(SECTION, b'report', default=None)


# where the settings of a repository hang, in the __dict__ of its store's opener
ATTRIBUTE = '_fastrevlog_settings'


class Settings(NamedTuple):
    """What the user asked for in ``[fastrevlog]``."""

    enabled: bool = True
    over_rust: bool = False
    cache_memory: int = 64 << 20  # bytes
    collision_detection: bool = False
    verify_workers: int = 0  # processes; 0: one for each core


OFF = Settings(enabled=False)


def load(ui: Any) -> Settings:
    """The settings in force.  Raises ``ConfigError`` for invalid values."""
    from .engine import options

    check = ui.config(SECTION, b'check')
    if check not in CHECKS:
        raise error.ConfigError(
            _(b"fastrevlog.check is '%s', expected one of: %s")
            % (check, b', '.join(CHECKS))
        )
    memory = None
    if ui.config(SECTION, b'cache-memory') is not None:
        memory = ui.configbytes(SECTION, b'cache-memory')
        if memory < 0:
            raise error.ConfigError(
                _(b'fastrevlog.cache-memory is %d, expected 0 or more') % memory
            )
    if memory is None:
        profile = ui.config(b'usage', b'resources.memory') or ui.config(
            b'usage', b'resources'
        )
        memory = options.MEMORY_PROFILES.get(
            profile, options.MEMORY_PROFILES[options.DEFAULT_PROFILE]
        )
    return Settings(
        ui.configbool(SECTION, b'enabled'),
        ui.configbool(SECTION, b'over-rust'),
        memory,
        check == b'collision-detection',
        verify_workers(ui),
    )


def attach(repo: Any, settings: Settings) -> None:
    """Let the revlogs of ``repo`` know what is asked for there."""
    svfs = getattr(repo, 'svfs', None)
    if hasattr(svfs, '__dict__'):
        svfs.__dict__[ATTRIBUTE] = settings


def verify_workers(ui: Any) -> int:
    """How many worker processes `hg verify` shall use.  Raises ``ConfigError``."""
    workers = ui.configint(SECTION, b'verify-workers')
    if workers < 0:
        raise error.ConfigError(
            _(b'fastrevlog.verify-workers is %d, expected 0 or more') % workers
        )
    return workers


def read_options(data_config: Any) -> Any:
    """The engine's frozen options of reading, from Mercurial's configuration."""
    from .engine import options

    return options.ReadOptions(
        data_config.with_sparse_read,
        data_config.sr_density_threshold,
        data_config.sr_min_gap_size,
    )
