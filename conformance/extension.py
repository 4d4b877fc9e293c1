# The two extensions of a run: a snapshot of fastrevlog, and one that does nothing.
# SPDX-License-Identifier: GPL-2.0-or-later
"""Prepare the extension under test and its do-nothing twin.

The extension is copied first, so that editing it during a run of an hour
changes nothing; the copy is named by a fingerprint of its content, which
every result carries. The twin has the same name, help, version, commands
and settings: tests that print those print the same under both.
"""

from __future__ import annotations

import ast
import hashlib
import pathlib
import shutil

TWIN = '''\
# Does nothing: the baseline of a conformance run. Written by conformance.
{docstring}
from .debug import commands
from . import settings
from .metadata import __version__, buglink, minimumhgversion, testedwith

cmdtable = commands.eh.cmdtable
configtable = settings.eh.configtable
'''


def snapshot(package: pathlib.Path, folder: pathlib.Path) -> tuple[pathlib.Path, str]:
    """Copy the extension package below ``folder``.

    Returns the path of the copy, to be given to ``extensions.fastrevlog``, and
    the fingerprint of its content (12 hexadecimal digits).
    """
    files = sorted(p for p in package.rglob("*.py") if "__pycache__" not in p.parts)
    if not files:
        raise ValueError(f"there is no extension in {package}")
    digest = hashlib.sha256()
    for path in files:
        digest.update(b"%s\0" % str(path.relative_to(package)).encode())
        digest.update(path.read_bytes() + b"\0")
    fingerprint = digest.hexdigest()[:12]
    target = folder / fingerprint / "fastrevlog"
    if not target.exists():
        scratch = folder / f"{fingerprint}.new"
        shutil.rmtree(scratch, ignore_errors=True)
        for path in files:
            copy = scratch / "fastrevlog" / path.relative_to(package)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, copy)
        scratch.rename(folder / fingerprint)
    return target, fingerprint


def twin(package: pathlib.Path, folder: pathlib.Path) -> pathlib.Path:
    """Write the do-nothing extension that looks like ``package``; return its path.

    It has the commands and the settings of ``package``, so that Mercurial's lists
    and help are the same, and no part in anything else.
    """
    front = (package / "__init__.py").read_text(encoding="utf-8")
    docstring = ast.get_docstring(ast.parse(front), clean=False) or "fastrevlog"
    text = TWIN.format(docstring=repr(docstring))
    known = hashlib.sha256((text + package.parent.name).encode()).hexdigest()
    target = folder / f"twin-{known[:12]}" / "fastrevlog"
    if not target.exists():
        shutil.copytree(package, target)
        (target / "__init__.py").write_text(text, encoding="utf-8")
    return target
