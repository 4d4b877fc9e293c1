# When work that is left is worth processes of its own.
# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import pytest

from hgext3rd.fastrevlog.operations.history import ahead

MS = 0.001


@pytest.mark.parametrize(
    ("shown", "total", "seconds", "first", "pays"),
    [
        (1, 200, 300 * MS, 300 * MS, True),  # the first one alone is long
        (1, 200, 100 * MS, 100 * MS, False),  # what it loads counts for it, too
        (1, None, 300 * MS, 300 * MS, False),
        (2, 4000, 31 * MS, 30 * MS, False),  # the second one loads something
        (40, 4000, 35 * MS, 30 * MS, False),  # small pieces, however many
        (4, 200, 36 * MS, 30 * MS, True),
        (4, 50, 36 * MS, 30 * MS, False),  # too few are left
        (60, None, 148 * MS, 30 * MS, False),  # as many are expected as there were
        (61, None, 151 * MS, 30 * MS, True),
    ],
)
def test_estimate(
    shown: int, total: int | None, seconds: float, first: float, pays: bool
) -> None:
    assert ahead._pays(shown, total, seconds, first) is pays
