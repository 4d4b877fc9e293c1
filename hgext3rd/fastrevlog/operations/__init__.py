# Short ways through whole operations of Mercurial.
# SPDX-License-Identifier: GPL-2.0-or-later
