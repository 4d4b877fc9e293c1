# What fastrevlog touches of Mercurial, nothing else; checked by test_typings.py.
# SPDX-License-Identifier: GPL-2.0-or-later
from typing import Any

# A module that has no stub here yet is not known, which is no error.
def __getattr__(name: str) -> Any: ...
