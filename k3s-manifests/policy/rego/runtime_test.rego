package endcap.runtime_test

import data.endcap.runtime
import data.fixture
import future.keywords.every
import future.keywords.if
import future.keywords.in

denied(given) := got if got := fixture.rules(runtime.violation) with input as given

redis := concat("@sha256:", ["registry.example/endcap/redis", fixture.digest])

test_allowed_in_every_kind if {
	every kind in fixture.kinds { denied(fixture.review(fixture.workload(kind))) == set() }
}

test_class_missing if denied(fixture.with_pod([fixture.unset("/spec/runtimeClassName")])) == {"runtime-class"}

test_class_null if denied(fixture.with_pod([fixture.set("/spec/runtimeClassName", null)])) == {"runtime-class"}

test_class_other if denied(fixture.with_pod([fixture.set("/spec/runtimeClassName", "runc")])) == {"runtime-class"}

test_pod_missing if denied(fixture.review({"kind": "Deployment", "metadata": fixture.meta})) == {"runtime-class"}

test_no_class_allowed if {
	denied(fixture.with_parameters([fixture.set("/runtimeClasses", [])])) == {"runtime-class"}
	denied(fixture.with_parameters([fixture.unset("/runtimeClasses")])) == {"runtime-class"}
}

native_pod(images) := {
	"kind": "Pod",
	"metadata": fixture.meta,
	"spec": {"containers": [{"name": "c", "image": image} | some image in images]},
}

test_native_image_needs_no_class if denied(fixture.review(native_pod([redis, redis]))) == set()

test_one_other_image_is_enough_to_deny if {
	denied(fixture.review(native_pod([redis, "registry.example/endcap/service:1"]))) == {"runtime-class"}
	denied(fixture.review(native_pod([]))) == {"runtime-class"}
}

test_other_image_as_init_container if {
	pod := fixture.changed(native_pod([redis]), [fixture.set("/spec/initContainers", [{"name": "i", "image": "busybox"}])])
	denied(fixture.review(pod)) == {"runtime-class"}
}

test_no_native_images if {
	given := object.union(fixture.review(native_pod([redis])), {"parameters": {"nativeImages": []}})
	denied(given) == {"runtime-class"}
}

test_annotations if {
	denied(fixture.with_pod([fixture.set("/metadata/annotations/module.wasm.image~1variant", "other")])) == {"runtime-annotation"}
	denied(fixture.with_pod([fixture.set("/metadata/annotations/run.oci.handler", "krun")])) == {"runtime-annotation"}
	denied(fixture.with_pod([fixture.unset("/metadata/annotations")])) == set()
	denied(fixture.with_parameters([fixture.unset("/annotations")])) == {"runtime-annotation"}
}
