#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Ten times as many random histories as make check lives through.
HISTORIES=10000 exec "$builddir/tests/t_histories"
