# SPDX-License-Identifier: MIT
# Print the STEPS tables of libposh's files as one table of doc/recovery.md:
#     awk -f doc/steps.awk libposh/*.[ch]
# t/steps.t fails when the table there is another.

function trim(s) {
	gsub(/^ +| +$/, "", s)
	return s
}

function join(a, b) {
	return a == "" || b == "" ? a b : a " " b
}

function flush() {
	if (step != "")
		printf "| `%s` | %s | %s |\n", step, effect, death
	step = ""
}

BEGIN {
	print "| step | what is done | whoever dies there |"
	print "| --- | --- | --- |"
}

/^ \* STEPS  *effect  / {
	left = index($0, "effect")
	right = index($0, "if the process")
	in_table = 1
	next
}

in_table && !/^ \*  / {
	flush()
	in_table = 0
}

in_table {
	if (match($0, /^ \* *[a-z]+\.[0-9]+ /)) {
		flush()
		step = trim(substr($0, 3, RLENGTH - 2))
		effect = death = ""
	}
	effect = join(effect, trim(substr($0, left, right - left)))
	death = join(death, trim(substr($0, right)))
}

END {
	flush()
}
