# `hg verify` on all cores.
# SPDX-License-Identifier: GPL-2.0-or-later
