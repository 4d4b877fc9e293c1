# Stub. # from 7.2
# SPDX-License-Identifier: GPL-2.0-or-later
