# Print which kinds of revlogs were served, and which were refused and why.
# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from support.reports import read_report

counts = read_report(pathlib.Path(sys.argv[1]))
print("served:", ", ".join(sorted(counts.served)) or "nothing")
for reason in sorted(counts.refused):
    print("refused:", reason)
