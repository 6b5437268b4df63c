#!/bin/bash
# A launcher of compilers and linkers: runs one, and adds a line to a log of what it cost.
#
#   time_compiler.sh LOG COMPILER [ARGUMENT...]
#
# The line: user seconds, system seconds, wall seconds, the file made.
log=$1
shift
output=-
previous=
for argument in "$@"; do
  [ "$previous" != -o ] || output=$argument
  previous=$argument
done
TIMEFORMAT="%U %S %R ${output//%/%%}"
exec 3>&2
{ time "$@" 2>&3; } 2>>"$log"
