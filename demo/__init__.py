# A demonstration: the same commands with and without fastrevlog.
# SPDX-License-Identifier: GPL-2.0-or-later
