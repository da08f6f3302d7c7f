# Times and ages. The present is a parameter, so that tests choose it.
package lib.age

import future.keywords.if

minute_ns := 60000000000

day_ns := 86400000000000

# instant(text): nanoseconds since 1970 of an RFC 3339 time, undefined for anything else
# (and beyond the years 1678 to 2262, which the nanoseconds do not reach).
instant(text) := time.parse_rfc3339_ns(text) if is_string(text)

readable(text) if is_number(instant(text))

older(text, now_ns, days) if now_ns - instant(text) > days * day_ns

ahead(text, now_ns, minutes) if instant(text) - now_ns > minutes * minute_ns
