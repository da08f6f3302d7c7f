package lib.image_test

import data.lib.image
import future.keywords.every
import future.keywords.if

digest := "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

test_by_digest if {
	image.by_digest(concat("@", ["registry.example/a/b", digest]))
	image.by_digest(concat("@", ["registry.example:5000/a:1.2", digest]))
}

tagged := [
	"", "a", "a:latest", "registry.example/a:1@sha256:0123", concat("@", ["", digest]),
	concat("@", ["a@b", digest]), concat("", ["a@", digest, "0"]), upper(concat("@", ["a", digest])),
	concat("", ["a@", digest, "\n"]), "a@sha512:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
]

test_not_by_digest if {
	every reference in tagged {
		not image.by_digest(reference)
	}
}

test_repository if {
	image.repository(concat("@", ["registry.example:5000/a/b:1.2", digest])) == "registry.example:5000/a/b"
	image.repository("registry.example:5000/a") == "registry.example:5000/a"
	image.repository("a:1") == "a"
}

test_within if {
	image.within("registry.example/endcap/service:1", ["other.example", "registry.example/endcap/"])
	image.within("registry.example/endcap", ["registry.example/endcap"])
	image.within("registry.example:5000/endcap", ["registry.example:5000"])
}

test_not_within if {
	every reference in ["registry.example.evil/endcap/a", "registry.example/endcapx/a", "evil/registry.example/endcap/a", "endcap/a", "", "a"] {
		not image.within(reference, ["registry.example/endcap"])
	}
	not image.within("registry.example/a", [])
	not image.within("registry.example/a", ["", "/"])
}
