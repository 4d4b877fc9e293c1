# Stub: patterns for names.
# SPDX-License-Identifier: GPL-2.0-or-later
from collections.abc import Callable

def stringmatcher(
    pattern: bytes, casesensitive: bool = ...
) -> tuple[bytes, bytes, Callable[[bytes], bool]]: ...
