package endcap.images_test

import data.endcap.images
import data.fixture
import future.keywords.every
import future.keywords.if
import future.keywords.in

denied(given) := got if got := fixture.rules(images.violation) with input as given

violations(given) := got if got := images.violation with input as given

test_allowed_in_every_kind if {
	every kind in fixture.kinds { denied(fixture.review(fixture.workload(kind))) == set() }
}

test_tag if denied(fixture.with_pod([fixture.set("/spec/containers/0/image", "registry.example/endcap/service:1")])) == {"image-digest"}

test_other_registry if {
	image := concat("@sha256:", ["elsewhere.example/endcap/service", fixture.digest])
	denied(fixture.with_pod([fixture.set("/spec/containers/0/image", image)])) == {"image-registry"}
}

test_both if denied(fixture.with_pod([fixture.set("/spec/containers/0/image", "busybox")])) == {"image-digest", "image-registry"}

test_missing if {
	denied(fixture.with_pod([fixture.unset("/spec/containers/0/image")])) == {"image-digest", "image-registry"}
	denied(fixture.with_pod([fixture.set("/spec/containers/0/image", null)])) == {"image-digest", "image-registry"}
}

test_every_sort_of_container if {
	bad := [fixture.set(sprintf("/spec/%s/0/image", [sort]), "busybox") | some sort in fixture.sorts]
	got := violations(fixture.with_pod(bad))
	fixture.seen(got) == {sort | some sort in fixture.sorts}
	count(got) == 6
}

test_no_registries if {
	denied(fixture.with_parameters([fixture.set("/registries", [])])) == {"image-registry"}
	denied(fixture.with_parameters([fixture.unset("/registries")])) == {"image-registry"}
}
