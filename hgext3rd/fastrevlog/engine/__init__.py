# The storage engine: bytes and files, no ui, no repo, no config.
# SPDX-License-Identifier: GPL-2.0-or-later
