# Build script: everything is in pyproject.toml but the version.
# SPDX-License-Identifier: GPL-2.0-or-later
"""The version has one home, ``hgext3rd/fastrevlog/metadata.py``.

It is read as text: importing it would need Mercurial at build time.
"""

from __future__ import annotations

import pathlib
import re

from setuptools import setup

METADATA = pathlib.Path(__file__).parent / "hgext3rd" / "fastrevlog" / "metadata.py"


def version() -> str:
    """Return the version written in metadata.py, ``ValueError`` if none is."""
    found = re.search(
        r"^__version__(?:\s*:\s*\w+)?\s*=\s*b?['\"]([^'\"]+)['\"]",
        METADATA.read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    if found is None:
        raise ValueError(f"no __version__ in {METADATA}")
    return found.group(1)


setup(version=version())
