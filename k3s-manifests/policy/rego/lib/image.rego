# Image references: REGISTRY/PATH[:TAG][@ALGORITHM:DIGEST].
package lib.image

import future.keywords.if
import future.keywords.in

by_digest(reference) if regex.match(`^[^@]+@sha256:[0-9a-f]{64}$`, reference)

# within(reference, prefixes): is it one of these repositories, or below one? Whole path
# elements: registry.example does not stand for registry.example.elsewhere.
within(reference, prefixes) if {
	some prefix in prefixes
	trimmed := trim_right(prefix, "/")
	trimmed != ""
	startswith(concat("", [repository(reference), "/"]), concat("", [trimmed, "/"]))
}

# Without digest and tag. A colon before the last slash is a port.
repository(reference) := regex.replace(split(reference, "@")[0], `:[^/:]*$`, "")
