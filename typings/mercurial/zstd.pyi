# Stub: Mercurial's own build of python-zstandard.
# SPDX-License-Identifier: GPL-2.0-or-later
from typing import Any

def __getattr__(name: str) -> Any: ...
