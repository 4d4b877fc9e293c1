# Stub: which modules are in use, C, Rust or Python.
# SPDX-License-Identifier: GPL-2.0-or-later
from typing import Any

def importmod(modname: str) -> Any: ...
