#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Makes the inputs of fuzz_frame, fuzz_ack, fuzz_hello and fuzz_rehello, in the
# folders beside it; the bytes are what tests/fuzz_*.c and the tables in core/*.h say.
cd "$(dirname "$0")" || exit 1
mkdir -p fuzz_frame fuzz_ack fuzz_hello fuzz_rehello

# repeat N TEXT: TEXT, N times.
repeat() {
	i=0
	while [ $i -lt "$1" ]; do
		printf %s "$2"
		i=$((i + 1))
	done
}
x16=$(repeat 16 x)
x32=$(repeat 32 x)

cd fuzz_frame || exit 1
printf '\000\001\000\017\000' >small
printf '\002\000\000\005\170\016\004' >pong_close
printf '\003\001\100\144\123\210\003\002\012\000\010\100\116\000' >ack
printf '\004\100\106\003\350\000\026\003ssh' >open
printf '\010\001\000\004data\011\001\004\000' >stream
printf '\010\001\377\377\377\377\377\377\377\377\000' >stream_far
printf '\005\006\011\377\377\377\377\377\377\377\377\006\006\377\000' >reset
printf '\007\100\100\300\000\000\000\100\000\000\000\014\377\377\377\377\377\377\377\377' >windows
printf '\012\003\200\000\100\000\013\003\177\377' >positions
printf '\015\001\000\000\000\115%s\020\001%s' "$x32" "$x32" >keys
printf '\021\003abc\100\000\000\177\000\002xy' >private
printf '\010\001\377\377\377\377\377\377\377\377\001x' >stream_beyond
printf '\022\000\000' >unknown
cd ..

cd fuzz_ack || exit 1
printf '\000\005\000\000\000\005' >one
printf '\001\100\144\123\210\003\002\012\000\010\100\116\000' >three
printf '\000\005\000\000\001\000\004\000' >below_zero
printf '\000\377\377\377\377\377\377\377\377\377\377\377\377\377\377\377\377\377\377\377\377\377\377\377\377\000\377\377\377\377\377\377\377\377' >all
# The highest of these is 256; then 63 and 64 ranges more.
{
	printf '\000\101\000\000\000\077\000'
	repeat 63 ab | tr ab '\000\000'
} >many
{
	printf '\000\101\000\000\000\100\100\000'
	repeat 64 ab | tr ab '\000\000'
} >too_many
cd ..

cd fuzz_hello || exit 1
printf 'apartiala\001\001\002\001\001\002\001\001\000\000\000\003key' >a_least
printf 'apartiala\001\003\001\002\001\002\001\001\377\376\200\377\000\042\001\040%s\000\040%s' "$x32" "$x32" >a_source
printf 'apartiala\001\001\002\001\001\002\001\001\000\004\200\002xy\000\000' >a_unknown
printf 'apartiala\001\001\002\000\000\000\000\000' >a_no_offers
printf 'apartiala\001\001\002\001\001\002\001\001\000\000\003\205' >a_keys_long
printf 'p\001\010timetime\002\020%s\003\004name\004\010windows.\005\020%s\006\003loc\007\006\001\000offr\010\010partialb\011\004\000\000\005\170\012\000\013\001\003' "$x16" "$x16" >p_full
printf 'p\200\001x\012\000' >p_unknown
printf 'p\012\000\012\000' >p_twice
printf 'p\003\003a c' >p_name
printf 'p\006\031%s123456789' "$x16" >p_locator_long
printf 'bpartialb\000\003key' >b
printf 'f\000\003key' >finished
printf 'r\001%s%s' "$x32" "$x32" >retry
printf 'h\001\005\000\001indexindsequence\000\000\000\001x' >header
cd ..

cd fuzz_rehello || exit 1
plain=$(repeat 24 l)
ask="?$x16"
peer() { printf 'Q%b%b%s\003%s1400' "$1" "$2" "$x16" "$plain"; }
answer() { printf 'A%s\003%s1400' "$x16" "$plain"; }
{ printf '%s' "$ask"; answer; printf 'E\001'; } >ask
{ peer '\000' '\001'; printf 'e\002'; } >asked
{ printf '%s' "$ask"; peer '\000' '\001'; answer; printf 'e\002E\001'; } >cross
{ peer '\000' '\001'; peer '\000' '\001'; peer '\002' '\005'; } >twice
{ printf '%s' "$ask"; answer; printf '%s' "$ask"; answer; peer '\001' '\001'; } >chain
{ printf '%s' "$ask"; answer; peer '\000' '\001'; peer '\002' '\001'; printf s; } >counter
printf 'Q\000\001%s\031%s1400' "$x16" "$plain" >locator_long
printf 'q\000\000\000\000\000\000\000\001\000\000\000\000%s%s%s' "$x16" "$x32" "$x16" >stranger
printf '%sa\000\000\000\000\000\000\000\001\000\000\000\000%s%s%s' "$ask" "$x16" "$x32" "$x16" >stranger_answers
printf 'q\000\000\000\000\000\000\000\001\000\000' >short
