package lib.message_test

import data.lib.message
import future.keywords.if

test_denial if {
	got := message.denial("rule", "Pod a/b", "wrong", "right", "do it")
	got.msg == "[rule] Pod a/b: wrong. Allowed: right. To mend: do it."
	got.details == {"rule": "rule", "place": "Pod a/b"}
}

test_listed if {
	message.listed(["a", "b"]) == "a, b"
	message.listed([]) == "nothing"
}
