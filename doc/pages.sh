#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Usage: doc/pages.sh PAGE...
# Fills the marked regions of manual pages with what they speak of, so that it cannot
# become untrue.  A region ends with the line  .\" end  and begins with one of
#
#   .\" options NAME             the options of a plugin, or of a part of the file
#   .\" file PATH                a file of this tree
#   .\" lines PATH ADDRESS       those lines of it that sed finds at ADDRESS
#
# MUSES is the program to ask.  tests/t_pages.sh runs this on copies and compares.
set -u
muses=${MUSES:-muses}
here=${srcdir:-$(dirname "$0")/..}

# Sentences begin a line, and lines have less than 80 characters.
options() { # NAME
	text=$("$muses" options --mdoc "$1") || return 1
	if [ -z "$text" ]; then
		echo None.
		return
	fi
	echo '.Bl -tag -width Ds'
	printf '%s\n' "$text" | sed 's/\([.;]\)  /\1\n/g' | awk '
		/^\.It/ { print; next }
		{
			line = ""
			for (i = 1; i <= NF; i++)
				if (line == "")
					line = $i
				else if (length(line " " $i) < 80)
					line = line " " $i
				else {
					print line
					line = $i
				}
			print line
		}'
	echo .El
}

# roff reads "\" anywhere, and "." and "'" where a line begins.
literal() {
	echo '.Bd -literal -offset indent'
	sed "s/\\\\/\\\\e/g; s/^[.']/\\\\\\&&/" | expand -t 8
	echo .Ed
}

fill() {
	skipping=false
	while IFS= read -r line; do
		case $line in
		'.\" end')
			skipping=false
			;;
		esac
		$skipping || printf '%s\n' "$line"
		case $line in
		'.\" options '*)
			options "${line#* options }" || return 1
			skipping=true
			;;
		'.\" file '*)
			literal <"$here/${line#* file }" || return 1
			skipping=true
			;;
		'.\" lines '*)
			rest=${line#* lines }
			sed -n "${rest#* }p" "$here/${rest%% *}" | literal || return 1
			skipping=true
			;;
		esac
	done
	! $skipping
}

status=0
for page in "$@"; do
	if ! fill <"$page" >"$page.new"; then
		echo "doc/pages.sh: $page: a region cannot be filled in" >&2
		rm -f "$page.new"
		status=1
	elif cmp -s "$page.new" "$page"; then
		rm -f "$page.new"
	else
		mv "$page.new" "$page"
		echo "$page: filled in"
	fi
done
exit $status
