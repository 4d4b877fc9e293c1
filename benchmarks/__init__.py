# Benchmarks of fastrevlog against other set-ups of Mercurial; see docs/measuring.md.
# SPDX-License-Identifier: GPL-2.0-or-later
