#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What the shared objects of this build show to the world.
set -u
cd "${builddir:?}" || exit 99
count=0

# result STATUS TITLE: one line of TAP.
result() {
	count=$((count + 1))
	[ "$1" -eq 0 ] && echo "ok $count - $2" || echo "not ok $count - $2"
}

# exported FILE: the names it defines for others.
exported() {
	nm -D --defined-only "$1" | awk '$2 != "A" { sub(/@.*/, "", $3); print $3 }' |
		grep -v -e '^__odr_asan' -e '^__asan' -e '^__start_' -e '^__stop_' -e '^__sancov'
}

if [ ! -f .libs/libmuses.so ] || ! command -v nm >/dev/null 2>&1; then
	echo "1..0 # SKIP a static build, or no nm: there is nothing to look at"
	exit 0
fi

foreign=$(exported .libs/libmuses.so | grep -v -E '^(muses|core)_')
[ -z "$foreign" ] || echo "# foreign:" $foreign
[ -z "$foreign" ]
result $? "libmuses exports muses_* and core_* and nothing else"

for plugin in plugins/*/*/.libs/*.so; do
	[ -f "$plugin" ] || continue
	name=$(basename "$plugin" .so)
	names=$(exported "$plugin")
	[ "$names" = "${name}_LTX_muses_plugin" ] || echo "# it exports:" $names
	[ "$names" = "${name}_LTX_muses_plugin" ]
	result $? "$name exports its record and nothing else"
done

for file in .libs/libmuses.so plugins/*/*/.libs/*.so; do
	[ -f "$file" ] || continue
	readelf -d "$file" | grep -q 'NOW'
	result $? "$(basename "$file" .so) is bound when it is loaded, not later"
done
echo "1..$count"
