package endcap.readonly_test

import data.endcap.readonly
import data.fixture
import future.keywords.every
import future.keywords.if
import future.keywords.in

violations(given) := got if got := readonly.violation with input as given

test_allowed_in_every_kind if {
	every kind in fixture.kinds { count(violations(fixture.review(fixture.workload(kind)))) == 0 }
}

test_every_sort_of_container if {
	bad := [fixture.set(sprintf("/spec/%s/0/securityContext/readOnlyRootFilesystem", [sort]), false) | some sort in fixture.sorts]
	got := violations(fixture.with_pod(bad))
	fixture.rules(got) == {"writable-root"}
	fixture.seen(got) == {sort | some sort in fixture.sorts}
}

test_left_out if {
	count(violations(fixture.with_pod([fixture.unset("/spec/containers/0/securityContext/readOnlyRootFilesystem")]))) == 1
	count(violations(fixture.with_pod([fixture.unset("/spec/containers/0/securityContext")]))) == 1
	count(violations(fixture.with_pod([fixture.set("/spec/containers/0/securityContext", null)]))) == 1
	count(violations(fixture.with_pod([fixture.set("/spec/containers/0/securityContext/readOnlyRootFilesystem", "true")]))) == 1
}
