# The persistent node map: node -> revision, from a tree on disk.
# SPDX-License-Identifier: GPL-2.0-or-later
