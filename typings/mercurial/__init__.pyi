# What fastrevlog touches of Mercurial, nothing else; checked by test_typings.py.
# SPDX-License-Identifier: GPL-2.0-or-later
