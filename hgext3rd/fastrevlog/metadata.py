# What this version of fastrevlog is, and which Mercurial it knows.
# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

__version__ = b'0.1.0'
testedwith = b'7.0 7.1 7.2'
minimumhgversion = b'7.0'
buglink = b'see the section "Reporting a problem" of the README'
