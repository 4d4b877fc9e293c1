# Stub: the changelog.
# SPDX-License-Identifier: GPL-2.0-or-later
from typing import Any

from . import revlog

changelogrevision: Any

class changelog(revlog.revlog):
    def __getattr__(self, name: str) -> Any: ...
