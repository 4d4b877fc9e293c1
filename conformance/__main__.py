# ``python -m conformance``.
# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import sys

from .cli import main

if __name__ == "__main__":
    sys.exit(main())
