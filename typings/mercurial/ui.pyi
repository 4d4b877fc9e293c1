# Stub: the user interface.
# SPDX-License-Identifier: GPL-2.0-or-later
from typing import Any

class ui:
    @classmethod
    def load(cls) -> ui: ...
    def setconfig(
        self, section: bytes, name: bytes, value: Any, source: bytes = b""
    ) -> None: ...
