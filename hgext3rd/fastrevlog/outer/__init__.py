# Short ways through Mercurial's outer revlog.
# SPDX-License-Identifier: GPL-2.0-or-later
