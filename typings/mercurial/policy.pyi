# Stub: which modules are in use, C, Rust or Python.
# SPDX-License-Identifier: GPL-2.0-or-later
from typing import Any

policy: bytes

def importmod(modname: str) -> Any: ...
def importrust(modname: str, member: str | None = None, default: Any = None) -> Any: ...
