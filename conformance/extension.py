# The two extensions of a run: a snapshot of fastrevlog, and one that does nothing.
# SPDX-License-Identifier: GPL-2.0-or-later
"""Prepare the extension under test and its do-nothing twin.

The extension is copied first, so that editing it during a run of an hour
changes nothing; the copy is named by a fingerprint of its content, which
every result carries. The twin has the same name, help line and version:
tests that print those print the same under both.
"""

from __future__ import annotations

import ast
import hashlib
import pathlib
import shutil

TWIN = '''\
# Does nothing: the baseline of a conformance run. Written by conformance.
{docstring}
'''
TWIN_METADATA = '''\
from .metadata import __version__, buglink, minimumhgversion, testedwith
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
    """Write the do-nothing extension that looks like ``package``; return its path."""
    front = (package / "__init__.py").read_text(encoding="utf-8")
    docstring = ast.get_docstring(ast.parse(front), clean=False) or "fastrevlog"
    text = TWIN.format(docstring=repr(docstring))
    metadata = package / "metadata.py"
    if metadata.exists():
        text += TWIN_METADATA
    name = "twin-" + hashlib.sha256(text.encode()).hexdigest()[:12]
    target = folder / name / "fastrevlog"
    target.mkdir(parents=True, exist_ok=True)
    (target / "__init__.py").write_text(text, encoding="utf-8")
    if metadata.exists():
        shutil.copy2(metadata, target)
    return target
