# SPDX-License-Identifier: MIT
#
# layers.awk - what goes up, of the facts that check-layers.sh collects.  Input: "public SYMBOL",
# "layer LINE OF tests/layers", then "FILE defines|uses|includes NAME", definitions first.

# The tree and the room of a file: agent/podctl/args/opt.c is in agent/podctl, room args.
function tree_of(file) { return file ~ /^agent\/podctl\// ? "agent/podctl" : substr(file, 1, index(file, "/") - 1) }
function folder_of(file) { sub(/\/[^\/]*$/, "", file); return file }

# May a file in folder @a of tree @t use what is in folder @b?
function allowed(t, a, b) {
	if (a == b)
		return 1
	if (floor[a] && floor[b] && of[a] == of[b])
		return floor[b] < floor[a]
	return (t, b) in outside
}

$1 == "public" { public[$2] = 1 }
$1 == "layer" && $3 == "<" { for (i = 4; i <= NF; i++) outside[$2, $i] = 1; next }
$1 == "layer" {
	for (i = 3; i <= NF; i++) {
		n = split($i, same, "|")
		for (j = 1; j <= n; j++) {
			floor[$2 "/" same[j]] = i
			of[$2 "/" same[j]] = $2
		}
	}
	next
}
$2 == "defines" { where[$3] = $1 }
$2 == "uses" && ($3 in where) {
	to = where[$3]; t = tree_of($1)
	if (only != "" && t != only)
		next
	if ($3 in public && tree_of(to) != t)
		next
	if (!allowed(t, folder_of($1), folder_of(to)))
		print $1 " uses " $3 " of " to
}
$2 == "includes" && $3 ~ /^(cgfs|bpf|agent)\// {
	t = tree_of($1)
	if (only != "" && t != only)
		next
	if ($3 ~ /\.skel\.h$/)
		next
	if (!allowed(t, folder_of($1), folder_of($3)))
		print $1 " includes " $3
}
# Every folder has its floor.
{ f = folder_of($1) }
($2 == "defines" || $2 == "includes") && !floor[f] && !(f in seen) { seen[f] = 1; print f " is not in tests/layers" }
