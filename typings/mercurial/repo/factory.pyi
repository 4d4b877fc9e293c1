# Stub: opening repositories; hg.repository is its older name. # from 7.2
# SPDX-License-Identifier: GPL-2.0-or-later
from typing import Any

def repository(ui: Any, path: bytes = b"", create: bool = False) -> Any: ...
