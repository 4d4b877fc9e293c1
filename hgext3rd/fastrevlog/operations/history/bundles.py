# Bundles that are read as repositories.
# SPDX-License-Identifier: GPL-2.0-or-later
"""The one open file that a bundle repository reads from.

Such a repository seeks in it, and then reads: processes that share the file, as a
parent and its forked children do, would move it under each other's hands.  A worker
puts in its place the same file, opened anew.
"""

from __future__ import annotations

import os
from typing import Any

_LAYERS = 4  # streams in streams


def is_bundle(repo: Any) -> bool:
    return bool(getattr(repo, 'is_bundle_repo', False)) or _inherits(
        repo, 'mercurial.bundlerepo'
    )


def is_union(repo: Any) -> bool:
    return _inherits(repo, 'mercurial.unionrepo')


def _inherits(repo: Any, module: str) -> bool:
    classes = type(repo.unfiltered()).__mro__
    return any(cls.__module__ == module for cls in classes)


def refusal(repo: Any) -> str | None:
    """Why workers cannot read the bundle of ``repo``; None: they can."""
    fd = _descriptor(repo)
    if fd is not None:
        try:
            os.close(_opened_again(fd))
            return None
        except OSError:
            pass
    return 'storage: a bundle that cannot be opened again'


def open_again(repo: Any) -> None:
    """In a worker: read the bundle of ``repo``, if it is one, through another file.

    Raises ``OSError``.
    """
    if not is_bundle(repo):
        return
    fd = _descriptor(repo)
    if fd is None:
        raise OSError
    opened = _opened_again(fd)
    os.lseek(opened, os.lseek(fd, 0, os.SEEK_CUR), os.SEEK_SET)
    os.dup2(opened, fd, inheritable=False)
    os.close(opened)


def _descriptor(repo: Any) -> int | None:
    """That of the file which the changes are read from; None: not known."""
    stream = repo._cgunpacker
    for _layer in range(_LAYERS):
        layers = [getattr(stream, name, None) for name in ('_stream', '_fp')]
        below = [layer for layer in layers if layer is not None]
        if not below:
            break
        stream = below[0]
    try:
        fd: int = stream.fileno()
        os.lseek(fd, 0, os.SEEK_CUR)
        return fd
    except (AttributeError, OSError, ValueError):
        return None


def _opened_again(fd: int) -> int:
    """The file that ``fd`` has open, with a position of its own.  Raises ``OSError``.

    Linux: a file may have no name any more.
    """
    return os.open('/proc/self/fd/%d' % fd, os.O_RDONLY | os.O_CLOEXEC)
