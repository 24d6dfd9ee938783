#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Makes ./configure from a fresh checkout; nothing else.
set -e
cd "$(dirname "$0")"
mkdir -p build-aux m4
autoreconf --install --warnings=all,no-portability,no-obsolete
# configure removes core dumps when it ends; core is a folder of ours.
sed 's/rm -f core \*\.core /rm -f *.core /' configure >configure~ &&
	cat configure~ >configure && rm configure~
