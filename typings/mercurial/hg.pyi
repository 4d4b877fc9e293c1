# Stub: repositories; from 7.2 on see repo/factory.pyi.
# SPDX-License-Identifier: GPL-2.0-or-later
from typing import Any

def repository(ui: Any, path: bytes = b"", create: bool = False) -> Any: ...

updaterepo: Any
