# Stub: hg verify.
# SPDX-License-Identifier: GPL-2.0-or-later
from typing import Any

class verifier:
    def verify(self) -> int: ...
    def __getattr__(self, name: str) -> Any: ...
