# What is on the disk, in a form that can be compared.
# SPDX-License-Identifier: GPL-2.0-or-later
"""Snapshots of the folders that a scenario leaves behind.

Everything counts: names, contents, permissions, the number of hard links. What
is left out is left out because it holds a clock or an inode number:

- `dirstate`, `dirstate.<uid>` and their backups: times of files;
- `dirstate.backup*`, `undo.backup.dirstate*`: copies of those;
- `cache/checklink*`, `cache/checkisexec*`, `cache/checknoexec` and the same in
  `wcache`: probes of the file system, made when something happens to need them;
- `wcache/manifestfulltextcache`: ordered by use, and holds what was read;
- `store/lock`, `wlock`: the process id, where a process died;
- `hgrc` and `undo.desc` of a repository cloned over http: the port of the server.

The random part in the names of node maps is left out, too, where they are named: how
many were made before and thrown away is not compared.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from pathlib import Path

# mode bits, number of hard links, size in bytes, digest or target
Entry = tuple[int, int, int, str]
Snapshot = dict[str, Entry]

_VARIES = re.compile(
    r"""(^|/)\.hg/(
        dirstate | dirstate\..* | dirstate-.* | journal.*dirstate.* | undo.*dirstate.*
        | w?cache/check.* | wcache/manifestfulltextcache
        | hgrc | (store/)?w?lock | undo\.desc
        | largefiles/.*dirstate.*
    )$""",
    re.VERBOSE,
)


def take(root: Path, only_stores: bool = False) -> Snapshot:
    """Describe every file below `root`, or those of the stores alone."""
    found: Snapshot = {}
    for folder, subfolders, names in os.walk(root):
        subfolders.sort()
        inside = os.path.relpath(folder, root)
        if only_stores and "/.hg/store" not in "/" + inside + "/":
            continue
        for name in names + subfolders:
            path = os.path.join(folder, name)
            relative = os.path.normpath(os.path.join(inside, name))
            if _VARIES.search(relative):
                continue
            found[_NODEMAP_DATA.sub(r"\1-UID.nd", relative)] = _entry(path)
    return found


# A node map: the name of its data file, and the docket that holds the same 8 digits
# after its version, five numbers (Mercurial, revlogutils/nodemap.py).
_NODEMAP_DATA = re.compile(r"(/\.hg/store/[^/]+)-[0-9a-f]{8}\.nd$")
_NODEMAP_DOCKET = re.compile(r"/\.hg/store/[^/]+\.n(\.bck)?$")
_UID = slice(34, 42)


def _entry(path: str) -> Entry:
    status = os.lstat(path)
    mode = status.st_mode
    if stat.S_ISLNK(mode):
        return mode, 1, 0, os.readlink(path)
    if stat.S_ISDIR(mode):
        # A folder's links and size are the file system's affair.
        return mode, 1, 0, "folder"
    if not stat.S_ISREG(mode):
        return mode, 1, 0, "special"
    with open(path, "rb") as file:
        content = bytearray(file.read())
    if _NODEMAP_DOCKET.search(path) and content[1:2] == b"\x08":
        content[_UID] = b"" if len(content) < _UID.stop else b"UIDUIDUI"
    digest = hashlib.sha256(content).hexdigest()
    return mode, status.st_nlink, status.st_size, digest


def differences(stock: Snapshot, ours: Snapshot) -> list[str]:
    """What differs, one line a file; empty when nothing does."""
    lines: list[str] = []
    for name in sorted(set(stock) | set(ours)):
        before, after = stock.get(name), ours.get(name)
        if before == after:
            continue
        if before is None or after is None:
            lines.append(
                f"{name}: only with {'stock' if after is None else 'fastrevlog'}"
            )
            continue
        if before[0] != after[0]:
            lines.append(f"{name}: mode {before[0]:o} / {after[0]:o}")
        for label, one, two in zip(("links", "size", "bytes"), before[1:], after[1:]):
            if one != two:
                lines.append(f"{name}: {label} {one} / {two}")
    return lines
