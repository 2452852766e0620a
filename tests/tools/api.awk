# SPDX-License-Identifier: MIT
#
# api.awk - the functions that headers declare with CGFS_API, a line each:
#	FILE:LINE NAME PROBLEM...
# A function is documented when a comment ends right above it, or above the run of declarations
# without a blank line that it belongs to.  A kernel-doc comment right above must name the
# function, and its @parameters must be the function's: all of them, or none where one line says
# it all.

function reset() { documented = 0; about = ""; params = ""; lines = 0 }

# The parameters' names in "(struct cgfs *c, int (*fn)(void *arg), size_t n,".
function names(arguments,    n, word, i, all) {
	sub(/^\(/, "", arguments)
	sub(/\),$/, "", arguments)
	while (match(arguments, /\(\*[a-z_0-9]+\)\([^()]*\)/)) {
		word[1] = substr(arguments, RSTART + 2, RLENGTH)
		sub(/\).*/, "", word[1])
		arguments = substr(arguments, 1, RSTART - 1) " " word[1] \
			substr(arguments, RSTART + RLENGTH)
	}
	n = split(arguments, word, ",")
	for (i = 1; i <= n; i++) {
		sub(/ *$/, "", word[i])
		sub(/.*[ *]/, "", word[i])
		all = all " " word[i]
	}
	return all
}

FNR == 1 { in_comment = collecting = 0; reset() }

in_comment {
	lines++
	if (/\*\//) { in_comment = 0; documented = 1; next }
	if (kernel_doc && about == "" && match($0, /[a-z_0-9]+\(\)/))
		about = substr($0, RSTART, RLENGTH - 2)
	if (kernel_doc && match($0, /^ \* @[a-z_0-9]+:/))
		params = params " " substr($0, RSTART + 4, RLENGTH - 5)
	next
}

/^[ \t]*\/\*/ {
	reset()
	kernel_doc = /^\/\*\*/
	if (/\*\//) documented = 1
	else in_comment = 1
	next
}

/^CGFS_API/ { collecting = 1; text = ""; line = FNR }

collecting {
	text = text " " $0
	if ($0 !~ /;/)
		next
	collecting = 0
	sub(/;.*/, "", text)
	name = text
	sub(/\(.*/, "", name)
	n = split(name, word, /[ \t*]+/)
	name = word[n]
	problem = documented ? "" : " has no comment"
	if (about != "" && about != name)
		problem = problem " is called " about " in its comment"
	arguments = substr(text, index(text, "(")) ","
	n = split(params, word, " ")
	for (i = 1; i <= n; i++)
		if (arguments !~ ("[ *]" word[i] "[,)]"))
			problem = problem " has no parameter @" word[i]
	n = lines && about != "" && arguments != "(void)," ? split(names(arguments), word, " ") : 0
	for (i = 1; i <= n; i++)
		if ((params " ") !~ (" " word[i] " "))
			problem = problem " does not describe @" word[i]
	print FILENAME ":" line, name problem
	about = params = ""
	next
}

# A blank line, or anything else, ends what the comment is about.
{ reset() }
