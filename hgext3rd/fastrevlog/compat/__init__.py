# What each generation of Mercurial expects of an inner revlog and its index.
# SPDX-License-Identifier: GPL-2.0-or-later
