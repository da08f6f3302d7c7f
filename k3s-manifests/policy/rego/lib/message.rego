# The form of a denial: which rule, where, what is wrong, what is allowed, how to mend it.
package lib.message

# The rule's name leads, so that people and tests can look it up in messages.md.
denial(rule, place, wrong, allowed, mend) := {
	"msg": sprintf("[%s] %s: %s. Allowed: %s. To mend: %s.", [rule, place, wrong, allowed, mend]),
	"details": {"rule": rule, "place": place},
}

# A list for people; an empty one says so rather than leaving a gap.
listed(values) := concat(", ", values) {
	count(values) > 0
} else := "nothing"
