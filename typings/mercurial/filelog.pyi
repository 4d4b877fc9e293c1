# Stub: file logs.
# SPDX-License-Identifier: GPL-2.0-or-later
from typing import Any

class filelog:
    def __getattr__(self, name: str) -> Any: ...

class narrowfilelog(filelog): ...
