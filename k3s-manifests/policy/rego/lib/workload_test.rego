package lib.workload_test

import data.fixture
import data.lib.workload
import future.keywords.every
import future.keywords.if
import future.keywords.in

found(object) := workload.pod({"object": object}, {})

test_every_kind if {
	every kind in fixture.kinds {
		got := found(fixture.workload(kind))
		got.spec == fixture.template.spec
		got.metadata.annotations == fixture.template.metadata.annotations
	}
	count(fixture.kinds) == count(workload.pod_paths)
}

test_kind_without_pods if not found({"kind": "Service", "metadata": fixture.meta})

test_pod_missing_is_judged if found({"kind": "Deployment", "metadata": fixture.meta}) == {}

# --- scope ----------------------------------------------------------------------------------

bare := {"kind": "Pod", "metadata": {"name": "p", "namespace": "shop"}, "spec": {"containers": []}}

test_not_ours if not found(bare)

test_ours_by_namespace if {
	every name in ["endcap", "endcap-acme"] { found(fixture.changed(bare, [fixture.set("/metadata/namespace", name)])) }
	every name in ["endcapx", "my-endcap", "endcap.x"] {
		not found(fixture.changed(bare, [fixture.set("/metadata/namespace", name)]))
	}
}

test_ours_by_namespace_of_the_request if {
	workload.pod({"object": fixture.changed(bare, [fixture.unset("/metadata/namespace")]), "namespace": "endcap"}, {})
}

test_ours_by_label if {
	found(fixture.changed(bare, [fixture.set("/metadata/labels", fixture.labels)]))
	found({"kind": "Deployment", "metadata": {"name": "d", "namespace": "shop"}, "spec": {"template": fixture.template}})
}

test_ours_by_label_of_namespace if {
	found(bare) with data.inventory.cluster.v1.Namespace.shop.metadata.labels as fixture.labels
	not found(bare) with data.inventory.cluster.v1.Namespace.other.metadata.labels as fixture.labels
}

test_scope_of_ones_own if {
	own := {"scope": {"namespaces": ["shop"], "labels": {}}}
	workload.pod({"object": bare}, own)
	not workload.pod({"object": fixture.pod}, own)
	not workload.pod({"object": fixture.pod}, {"scope": {"namespaces": [], "labels": {"a": "b"}}})
}

# --- requests -------------------------------------------------------------------------------

update(old, new) := {"object": new, "oldObject": old, "operation": "UPDATE"}

test_deletion_is_not_judged if not workload.pod({"object": fixture.pod, "operation": "DELETE"}, {})

test_update_that_leaves_the_pod if {
	every kind in fixture.kinds {
		old := fixture.workload(kind)
		new := fixture.changed(old, [fixture.set("/metadata/finalizers", []), fixture.set("/status", {"phase": "Running"})])
		not workload.pod(update(old, new), {})
		workload.pod(object.union(update(old, new), {"operation": "CREATE"}), {})
	}
	scaled := fixture.changed(fixture.workload("Deployment"), [fixture.set("/spec/replicas", 5)])
	not workload.pod(update(fixture.workload("Deployment"), scaled), {})
}

changes_of_the_pod := [
	fixture.set("/metadata/labels/a", "b"),
	fixture.set("/metadata/annotations/a", "b"),
	fixture.set("/spec/ephemeralContainers/0/name", "b"),
]

test_update_that_changes_the_pod if {
	every change in changes_of_the_pod {
		workload.pod(update(fixture.pod, fixture.changed(fixture.pod, [change])), {})
	}
	deployment := fixture.workload("Deployment")
	workload.pod(update(deployment, fixture.changed(deployment, [fixture.set("/metadata/labels/a", "b")])), {})
	old := fixture.workload("CronJob")
	workload.pod(update(old, fixture.changed(old, [fixture.unset("/spec/jobTemplate/spec/template/spec/containers")])), {})
}

# --- containers and messages ----------------------------------------------------------------

test_containers_of_every_sort if {
	got := workload.containers({"object": fixture.pod}, fixture.pod)
	{entry.place | some entry in got} == {
		"Pod endcap-acme/endcap, container \"endcap\"",
		"Pod endcap-acme/endcap, init container \"first\"",
		"Pod endcap-acme/endcap, ephemeral container \"debug\"",
	}
}

test_container_lists_that_are_null if {
	workload.containers({"object": bare}, {"spec": {"containers": null, "initContainers": [{}]}})[0].name == "number 0"
}

test_places if {
	workload.place({"object": {"kind": "Namespace", "metadata": {"name": "endcap"}}}) == "Namespace endcap"
	workload.place({"object": {"kind": "Pod", "metadata": {"generateName": "endcap-"}}, "namespace": "endcap"}) == "Pod endcap/endcap-*"
	workload.place({"object": {"kind": "Pod", "metadata": {}}}) == "Pod *"
}

test_prefixes if {
	workload.prefix({"object": {"kind": "Pod"}}) == ""
	workload.prefix({"object": {"kind": "Deployment"}}) == "spec.template."
	workload.prefix({"object": {"kind": "CronJob"}}) == "spec.jobTemplate.spec.template."
}
