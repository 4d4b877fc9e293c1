# Commands that show history, with workers that run ahead.
# SPDX-License-Identifier: GPL-2.0-or-later
