# Kubernetes quantities ("500m", "1Gi", "0.5", "1e3", 2) as whole thousandths of their unit.
#
# Thousandths, rounded away from 0, are the API server's own MilliValue, and keep sums exact:
# nine terabytes of them still fit the 53 bits of a float.
package lib.quantity

import future.keywords.if

# Longer text is refused: it would make numbers that cost time and mean nothing.
max_length := 40

grammar := `^([+-]?)([0-9]*)(?:\.([0-9]*))?(?:([eE])([+-]?)([0-9]{1,2})|([KMGTPE]i|[numkMGTPE]))?$`

suffixes := {
	"": {"times": 1, "over": 1},
	"n": {"times": 1, "over": 1000000000},
	"u": {"times": 1, "over": 1000000},
	"m": {"times": 1, "over": 1000},
	"k": {"times": 1000, "over": 1},
	"M": {"times": 1000000, "over": 1},
	"G": {"times": 1000000000, "over": 1},
	"T": {"times": 1000000000000, "over": 1},
	"P": {"times": 1000000000000000, "over": 1},
	"E": {"times": 1000000000000000000, "over": 1},
	"Ki": {"times": 1024, "over": 1},
	"Mi": {"times": 1048576, "over": 1},
	"Gi": {"times": 1073741824, "over": 1},
	"Ti": {"times": 1099511627776, "over": 1},
	"Pi": {"times": 1125899906842624, "over": 1},
	"Ei": {"times": 1152921504606846976, "over": 1},
}

# milli(quantity): undefined for what is no quantity, so a rule has to ask readable() first.
milli(quantity) := sign(parts[1]) * ceil(((nano * scale.times) / scale.over) / 1000000) if {
	text := as_text(quantity)
	count(text) <= max_length
	parts := regex.find_all_string_submatch_n(grammar, text, 1)[0]
	concat("", [parts[2], parts[3]]) != ""
	nano := nanos(parts[2], parts[3])
	scale := scaling(parts)
}

readable(quantity) if is_number(milli(quantity))

as_text(quantity) := quantity if is_string(quantity)

# YAML's 2 and 0.5 arrive as numbers.
as_text(quantity) := json.marshal(quantity) if is_number(quantity)

sign("-") := -1

sign("+") := 1

sign("") := 1

# Digits before and after the point as a whole number of billionths; digits beyond the ninth
# round up.
nanos(whole, fraction) := whole_number(concat("", [whole, kept])) + rest if {
	kept := substring(concat("", [fraction, "000000000"]), 0, 9)
	rest := rounding(trim_left(substring(fraction, 9, -1), "0"))
}

rounding("") := 0

rounding(digits) := 1 if digits != ""

# A number may not begin with noughts.
whole_number(digits) := to_number(trimmed) if {
	trimmed := trim_left(digits, "0")
	trimmed != ""
} else := 0

scaling(parts) := suffixes[parts[7]] if parts[4] == ""

scaling(parts) := {"times": to_number(concat("", ["1e", parts[6]])), "over": 1} if {
	parts[4] != ""
	parts[5] != "-"
}

scaling(parts) := {"times": 1, "over": to_number(concat("", ["1e", parts[6]]))} if parts[5] == "-"

# --- for messages ---------------------------------------------------------------------------

show("cpu", thousandths) := sprintf("%vm", [thousandths])

# Rounded up: a sum just over the budget does not read as the budget.
show("memory", thousandths) := sprintf("%vMi", [ceil(thousandths / 1048576000)])
