# SPDX-License-Identifier: MIT
#
# page.awk - one public header as a manual page; see `generate`, which sets title ("cgfs_group"),
# date and version.
#
# A header is a comment that introduces it, then declarations.  A comment right above CGFS_API
# declarations is theirs; what is neither goes into the page as it stands.

# -- text ---------------------------------------------------------------------------------------

function escape(s) { gsub(/\\/, "\\e", s); return s }

# Emphasis by pattern: what is found goes to bold or italic, the rest stays.
function mark(s, pattern, font, cut,    out, word, tail) {
	while (match(s, pattern)) {
		word = substr(s, RSTART, RLENGTH)
		tail = cut == "paren" ? substr(word, index(word, "(")) : ""
		if (cut == "paren")
			word = substr(word, 1, index(word, "(") - 1)
		else if (cut == "quotes")
			word = substr(word, 2, length(word) - 2)
		else if (cut == "at")
			word = substr(word, 2)
		out = out substr(s, 1, RSTART - 1) "\\f" font word "\\fP" tail
		s = substr(s, RSTART + RLENGTH)
	}
	return out s
}

function inline(s) {
	s = escape(s)
	gsub(/\^/, "\\(ha", s)
	gsub(/~/, "\\(ti", s)
	s = mark(s, "`[^`]*`", "B", "quotes")
	s = mark(s, "[a-z_][a-z_0-9]*\\([1-9]?\\)", "B", "paren")
	s = mark(s, "@[a-z_]+", "I", "at")
	gsub(/-E/, "\\-E", s)
	gsub(/-1/, "\\-1", s)
	return s
}

# Prints @s filled to lines that neither begin like a request nor hold the end of a sentence.
function fill(s,    n, word, i, line) {
	n = split(inline(s), word, " ")
	for (i = 1; i <= n; i++) {
		if (line != "" && (length(line) + length(word[i]) > 76 || \
				   (line ~ /[a-z0-9)}"]\.$/ && word[i] ~ /^[A-Z]/))) {
			print guard(line)
			line = ""
		}
		line = line == "" ? word[i] : line " " word[i]
	}
	if (line != "")
		print guard(line)
}

function guard(s) { return (s ~ /^[.']/ ? "\\&" : "") s }

# A line of source, blanks and all.
function verbatim(s,    at) {
	sub(/[ \t]+\\$/, " \\", s)
	while ((at = index(s, "\t")) > 0)
		s = substr(s, 1, at - 1) substr("        ", 1 + (at - 1) % 8) substr(s, at + 1)
	s = escape(s)
	gsub(/-/, "\\-", s)
	gsub(/'/, "\\(aq", s)
	gsub(/`/, "\\(ga", s)
	gsub(/\^/, "\\(ha", s)
	gsub(/~/, "\\(ti", s)
	print guard(s)
}

# Lines first..last of text[] as paragraphs and lists.
function paragraphs(text, first, last,    i, s, line, open) {
	for (i = first; i <= last; i++) {
		line = text[i]
		sub(/^[ \t]+/, "", line)
		if (line == "" || line ~ /^- /) {
			fill(s)
			if (line ~ /^- /) {
				print ".IP \\(bu 2"
				sub(/^- +/, "", line)
			} else if (s != "" && i < last && text[i + 1] !~ /^ *- /) {
				print ".PP"
			}
			s = ""
		}
		s = s == "" ? line : s (s ~ /\/$/ ? "" : " ") line
	}
	fill(s)
}

# -- one function, or a run of them --------------------------------------------------------------

# "const char *id" -> type[n] "const char *", param[n] "id"
function split_arguments(s,    i, c, depth, arg) {
	n_args = 0
	for (i = 1; i <= length(s); i++) {
		c = substr(s, i, 1)
		depth += (c == "(") - (c == ")")
		if (c == "," && depth == 0) {
			args[++n_args] = arg
			arg = ""
		} else {
			arg = arg c
		}
	}
	args[++n_args] = arg
	for (i = 1; i <= n_args; i++) {
		gsub(/^ +| +$/, "", args[i])
		if (args[i] ~ /\(\*/)
			match(args[i], /\(\*[a-z_]+/)
		else
			match(args[i], /[a-z_0-9]+$/)
		if (args[i] ~ /\(\*/) {
			RSTART += 2
			RLENGTH -= 2
		}
		if (args[i] == "void") {
			RSTART = 5
			RLENGTH = 0
		}
		before[i] = substr(args[i], 1, RSTART - 1)
		param[i] = substr(args[i], RSTART, RLENGTH)
		after[i] = substr(args[i], RSTART + RLENGTH)
	}
}

# A line of a prototype: bold, with parameters in italics.
function synopsis(s,    i, name, head, line, width, piece, plain) {
	gsub(/[ \t]+/, " ", s)
	sub(/^ *CGFS_API (CGFS_CHECK )?/, "", s)
	sub(/; *$/, "", s)
	head = substr(s, 1, index(s, "("))
	s = substr(s, index(s, "(") + 1)
	sub(/\)$/, "", s)
	split_arguments(s)
	line = ".BI \"" head
	width = length(head)
	for (i = 1; i <= n_args; i++) {
		plain = length(args[i]) + 2
		if (i > 1 && width + plain > 74) {
			print line "\""
			line = ".BI \"    "
			width = 4
		} else if (i > 1) {
			line = line " "
		}
		piece = before[i] "\" " param[i] " \"" after[i] (i < n_args ? "," : ");")
		if (param[i] == "")
			piece = before[i] after[i] (i < n_args ? "," : ");")
		line = line piece
		width += plain
	}
	print line "\""
}

function name_of(s) {
	sub(/\(.*/, "", s)
	sub(/^.*[ *]/, "", s)
	return s
}

# "Errors:" and its like, of which errors may be a list: an errno, two blanks, words.
function field(label, first, last,    i, s, item, listed) {
	print ".TP"
	print ".B " (label == "Return" ? "Returns" : label)
	for (i = first; i <= last; i++) {
		s = s (i > first ? "\n" : "") part[i]
	}
	if (label == "Errors")
		gsub(/; -E/, "\n-E", s)
	n_item = split(s, item, "\n")
	s = ""
	for (i = 1; i <= n_item; i++) {
		sub(/^[ \t]+/, "", item[i])
		if (label == "Errors" && item[i] ~ /^(-E[A-Z0-9]+( or -E[A-Z0-9]+)*|other)(   *|$)/) {
			fill(s)
			if (!listed++)
				print ".RS"
			match(item[i], /  +|$/)
			print ".TP"
			s = substr(item[i], 1, RSTART - 1)
			gsub(/-/, "\\-", s)
			print ".B \"" s "\""
			s = substr(item[i], RSTART + RLENGTH)
			if (s == "")
				s = errno_words(item[i])
		} else {
			s = s == "" ? item[i] : s " " item[i]
		}
	}
	fill(s)
	if (listed)
		print ".RE"
}

function errno_words(e) { return e == "-ENOMEM" ? "out of memory" : "" }

# The kernel-doc comment in doc[1..n_doc]: parameters, words, fields.
function kernel_doc(    i, s, started, n) {
	i = 2
	for (; i <= n_doc && doc[i] ~ /^@/; ) {
		s = doc[i]
		match(s, /^@[a-z_0-9]+:/)
		print ".TP"
		print ".I " substr(s, 2, RLENGTH - 2)
		s = substr(s, RLENGTH + 1)
		for (i++; i <= n_doc && doc[i] ~ /^[ \t]/; i++)
			s = s " " doc[i]
		fill(s)
	}
	n = 0
	for (; i <= n_doc && doc[i] !~ /^(Units|Errors|Context|Since|Return): */; i++)
		if (n > 0 || doc[i] != "")
			words[++n] = doc[i]
	while (n > 0 && words[n] == "")
		n--
	if (n > 0) {
		print ".PP"
		paragraphs(words, 1, n)
	}
	while (i <= n_doc) {
		if (doc[i] == "") {
			i++
			continue
		}
		match(doc[i], /^[A-Z][a-z]+:/)
		s = substr(doc[i], 1, RLENGTH - 1)
		n = 1
		part[1] = substr(doc[i], RLENGTH + 1)
		for (i++; i <= n_doc && doc[i] != "" && doc[i] !~ /^(Units|Errors|Context|Since|Return):/; i++)
			part[++n] = doc[i]
		field(s, 1, n)
	}
}

# A summary line as a sentence, unless it begins with the name of a thing.
function sentence(s) {
	if (s ~ /^[a-z]+[ ,;]/)
		s = toupper(substr(s, 1, 1)) substr(s, 2)
	return s ~ /[.?]$/ ? s : s "."
}

function about(from, to,    i, s) {
	s = name_of(prototype[from]) "()"
	for (i = from + 1; i <= to; i++)
		s = s ", " name_of(prototype[i]) "()"
	print ".SS " s
	if (is_kernel_doc) {
		s = doc[1]
		sub(/^[^-]*- */, "", s)
		fill(sentence(s))
		kernel_doc()
	} else {
		paragraphs(doc, 1, n_doc)
	}
}

# -- reading the header ---------------------------------------------------------------------------

# Text of a comment's line without its frame.
function bare(s) {
	sub(/^[ \t]*\/\*\*?/, "", s)
	sub(/\*\/[ \t]*$/, "", s)
	sub(/^[ \t]*\*/, "", s)
	sub(/^ /, "", s)
	sub(/[ \t]+$/, "", s)
	return s
}

# The comment raw[1..n_raw] into doc[], without empty lines at both ends.
function take_comment(    i, s) {
	n_doc = 0
	is_kernel_doc = raw[1] ~ /^\/\*\*/
	for (i = 1; i <= n_raw; i++) {
		s = bare(raw[i])
		if (n_doc > 0 || s != "")
			doc[++n_doc] = s
	}
	while (n_doc > 0 && doc[n_doc] == "")
		n_doc--
}

# A comment that turned out to be of no function.
function declare_comment(    i) {
	for (i = 1; i <= n_raw; i++)
		declaration[++n_declarations] = raw[i]
	n_raw = 0
}

function end_run() {
	if (run_from) {
		run_to = n_prototypes
		chunk_from[++n_chunks] = run_from
		chunk_to[n_chunks] = run_to
		chunk_doc[n_chunks] = ""
		for (i = 1; i <= n_doc; i++)
			chunk_doc[n_chunks] = chunk_doc[n_chunks] (i > 1 ? "\n" : "") doc[i]
		chunk_kernel_doc[n_chunks] = is_kernel_doc
	}
	run_from = 0
}

FNR == 1 { next }

in_comment || /^[ \t]*\/\*/ && !in_body {
	if (!in_comment) {
		end_run()
		declare_comment()
	}
	raw[++n_raw] = $0
	in_comment = !/\*\//
	if (!in_comment && !n_intro) {
		take_comment()
		for (i = 1; i <= n_doc; i++)
			intro[++n_intro] = doc[i]
		n_raw = 0
	}
	next
}

/^#ifndef CGFS_.*_H$/ || /^#define CGFS_.*_H$/ || /^#include/ || /^#ifdef __cplusplus/ { next }
/^extern "C"/ || /^#endif/ || /^}$/ && !in_body { next }
/^struct [a-z_]+;$/ { next }

/^CGFS_API/ && !in_prototype {
	if (n_raw) {
		take_comment()
		n_raw = 0
	}
	in_prototype = 1
	text = ""
	if (!run_from)
		run_from = n_prototypes + 1
}

in_prototype {
	line = $0
	sub(/[ \t]*\/\*.*\*\/[ \t]*$/, "", line)
	text = text " " line
	if (line ~ /;[ \t]*$/) {
		in_prototype = 0
		prototype[++n_prototypes] = text
	}
	next
}

/^$/ {
	end_run()
	declare_comment()
	if (n_declarations && declaration[n_declarations] != "")
		declaration[++n_declarations] = ""
	next
}

{
	end_run()
	declare_comment()
	declaration[++n_declarations] = $0
	if (/\{[ \t]*(\/\*.*)?$/ && !/\\$/)
		in_body = 1
	if (/^}/)
		in_body = 0
}

END {
	end_run()
	printf ".\\\" Made from include/cgfs/%s by docs/man/generate.\n", header
	printf ".TH %s 3 \"%s\" \"cgfs %s\" \"C Library\"\n", toupper(title), date, version
	print ".SH NAME"
	names = title
	for (i = 1; i <= n_prototypes; i++)
		names = names ", " name_of(prototype[i])
	s = intro[1]
	sub(/^[^ ]+ - /, "", s)
	sub(/\.$/, "", s)
	n = split(names " \\- " s, word, " ")
	line = ""
	for (i = 1; i <= n; i++) {
		if (line != "" && length(line) + length(word[i]) > 76) {
			print line
			line = ""
		}
		line = line == "" ? word[i] : line " " word[i]
	}
	print line
	print ".SH LIBRARY"
	print (header == "bpf.h" ? "libcgfs\\-bpf (\\-lcgfs\\-bpf, with libcgfs)" : "libcgfs (\\-lcgfs)")
	print ".SH SYNOPSIS"
	print ".nf"
	print ".B #include <cgfs/" header ">"
	for (i = 1; i <= n_prototypes; i++) {
		if (i == 1)
			print ".PP"
		synopsis(prototype[i])
	}
	print ".fi"
	print ".SH DESCRIPTION"
	if (n_intro > 1)
		paragraphs(intro, 3, n_intro)
	else
		fill(sentence(s))
	while (n_declarations && declaration[n_declarations] == "")
		n_declarations--
	if (n_declarations) {
		print ".SH TYPES AND CONSTANTS"
		print ".EX"
		for (i = 1; i <= n_declarations; i++)
			verbatim(declaration[i])
		print ".EE"
	}
	if (n_chunks)
		print ".SH FUNCTIONS"
	for (k = 1; k <= n_chunks; k++) {
		n_doc = split(chunk_doc[k], doc, "\n")
		is_kernel_doc = chunk_kernel_doc[k]
		about(chunk_from[k], chunk_to[k])
	}
	print ".SH SEE ALSO"
	print ".BR cgfs (3)"
}
