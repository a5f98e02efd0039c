#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# embed.sh DIR FILE.sql...: writes DIR/sql.h and DIR/sql.c, where each FILE.sql is the string sql_FILE.
set -eu
dir=$1
shift
{
	echo '// Made by engine/sql/embed.sh. Each string is one file of engine/sql.'
	echo '#pragma once'
	for f in "$@"; do echo "extern const char sql_$(basename "$f" .sql)[];"; done
} >"$dir/sql.h.new"
{
	echo '#include "sql.h"'
	for f in "$@"; do
		echo "const char sql_$(basename "$f" .sql)[] ="
		# The header comment stays in the file; what is sent starts at the first line that is not a comment.
		awk 'started || !/^--/ { started = 1; gsub(/\\/, "&&"); gsub(/"/, "\\\""); print "    \"" $0 "\\n\"" }' "$f"
		echo '    "";'
	done
} >"$dir/sql.c"
mv "$dir/sql.h.new" "$dir/sql.h"
