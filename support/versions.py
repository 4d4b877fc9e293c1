# Which Mercurials and Pythons are supported: the newest release of each series.
# SPDX-License-Identifier: GPL-2.0-or-later
MERCURIALS = ("7.0.3", "7.1.2", "7.2.4")
PYTHONS = ("3.9", "3.10", "3.11", "3.12", "3.13")
