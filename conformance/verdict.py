# What a failing test means, by comparison with the baseline.
# SPDX-License-Identifier: GPL-2.0-or-later
"""Compare a run under fastrevlog with one under the do-nothing extension."""

from __future__ import annotations

import difflib

from .runner import BAD, Outcome

# Fails with fastrevlog, passes (or is skipped) without: a bug.
ONLY = "fails only with fastrevlog"
# Fails under both, and gives another output under each: to be looked at.
DIFFERS = "fails under both, differently"
# Fails under both with the very same output: not of our making.
BASELINE = "baseline failure"
# Failed with fastrevlog once and passed when run again.
UNSTEADY = "unsteady"
WORST_FIRST = (ONLY, DIFFERS, UNSTEADY, BASELINE)


def judge(
    fast: Outcome, base: Outcome, paths: tuple[tuple[str, str], ...]
) -> dict[str, str]:
    """Return the verdict on each test that failed with fastrevlog.

    ``paths`` are pairs (path, name for it): what stands in outputs and differs
    between the two runs for no other reason than where they ran.
    """
    verdicts = {}
    for name in fast.bad:
        if base.results.get(name) not in BAD:
            verdicts[name] = ONLY
        elif plain(fast.errors.get(name, ""), paths) == plain(
            base.errors.get(name, ""), paths
        ):
            verdicts[name] = BASELINE
        else:
            verdicts[name] = DIFFERS
    return verdicts


def plain(text: str, paths: tuple[tuple[str, str], ...]) -> str:
    """Return an output with the paths of the run replaced by their names."""
    for path, name in paths:
        text = text.replace(path, name)
    return text


def difference(
    fast: Outcome, base: Outcome, name: str, paths: tuple[tuple[str, str], ...]
) -> str:
    """Return the unified diff between the outputs of a test under both."""
    before, after = (
        plain(outcome.errors.get(name, ""), paths).splitlines(keepends=True)
        for outcome in (base, fast)
    )
    return "".join(difflib.unified_diff(before, after, "baseline", "fastrevlog"))
