# Scripts that take long and are started by hand.
# SPDX-License-Identifier: GPL-2.0-or-later
