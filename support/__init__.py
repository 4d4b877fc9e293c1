# Shared by the tests, the demo, the benchmarks and the conformance runs.
# SPDX-License-Identifier: GPL-2.0-or-later
"""What more than one of them needs, and what is no test itself.

``running``, ``forkserver``, ``cmdserver``, ``dummyssh.sh`` run hg; ``reports`` reads
what fastrevlog reported; ``snapshot`` compares trees of files; ``damage`` damages
revlogs; ``enginelab`` makes revlogs without hg.
"""
