# Stub: the node tree of shortesthexnodeidprefix.
# SPDX-License-Identifier: GPL-2.0-or-later
from typing import Any

parsers: Any

def istreemanifest(repo: Any) -> bool: ...
