package lib.age_test

import data.lib.age
import future.keywords.every
import future.keywords.if

now := age.instant("2026-01-31T12:00:00Z")

test_older if {
	not age.older("2026-01-01T12:00:00Z", now, 30)
	age.older("2026-01-01T11:59:59.999Z", now, 30)
	not age.older("2026-02-01T00:00:00Z", now, 30)
}

test_ahead if {
	not age.ahead("2026-01-31T12:05:00Z", now, 5)
	age.ahead("2026-01-31T12:05:00.001Z", now, 5)
	not age.ahead("2026-01-31T13:05:00+01:00", now, 5)
	age.ahead("2026-01-31T11:05:01-01:00", now, 5)
}

test_unreadable if {
	every text in [
		"", "yesterday", "2026-01-31", "2026-01-31 12:00:00", "2026-02-30T00:00:00Z", "2026-01-31T25:00:00Z",
		"1769860800", 1769860800, null, true, "9999-01-01T00:00:00Z", "0001-01-01T00:00:00Z",
	] {
		not age.readable(text)
	}
}
