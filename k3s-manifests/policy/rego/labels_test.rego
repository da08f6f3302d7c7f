package endcap.labels_test

import data.endcap.labels
import data.fixture
import data.lib.workload
import future.keywords.every
import future.keywords.if
import future.keywords.in

denied(given) := got if got := fixture.rules(labels.violation) with input as given

places(given) := got if got := count(labels.violation) with input as given

tenant_path := "/metadata/labels/endcap.io~1tenant"

test_allowed_in_every_kind if {
	every kind in fixture.kinds { denied(fixture.review(fixture.workload(kind))) == set() }
}

test_missing if {
	denied(fixture.with_pod([fixture.unset(tenant_path)])) == {"label-missing"}
	denied(fixture.with_pod([fixture.set(tenant_path, "")])) == {"label-missing"}
	places(fixture.with_pod([fixture.unset("/metadata/labels")])) == 3
	places(fixture.with_pod([fixture.set("/metadata/labels", null)])) == 3
}

test_missing_on_pods if {
	every kind in [kind | some kind in fixture.kinds; kind != "Pod"] {
		bad := json.patch(fixture.workload(kind), [fixture.unset(sprintf("/%s/metadata/labels", [concat("/", workload.pod_paths[kind])]))])
		denied(fixture.review(bad)) == {"label-missing"}
		places(fixture.review(bad)) == 3
	}
}

test_no_parameters if {
	given := object.union(fixture.with_pod([fixture.unset("/metadata/labels")]), {"parameters": {"labels": null}})
	places(given) == 5
}

test_value if denied(fixture.with_pod([fixture.set("/metadata/labels/app.kubernetes.io~1part-of", "other")])) == {"label-value"}

test_objects_without_pods if {
	things := {
		{"kind": "Service", "metadata": fixture.meta},
		{"kind": "Namespace", "metadata": {"name": "endcap", "labels": fixture.labels}},
	}
	every thing in things {
		denied(fixture.review(thing)) == set()
		denied(fixture.review(fixture.changed(thing, [fixture.unset("/metadata/labels")]))) == {"label-missing"}
	}
	denied(fixture.review({"kind": "Service", "metadata": {"name": "s", "namespace": "shop"}})) == set()
}

# --- tenants --------------------------------------------------------------------------------

known(tenant) := {"endcap-acme": {"metadata": {"labels": {"endcap.io/tenant": tenant}}}}

test_tenant_of_the_namespace if {
	given := fixture.review(fixture.workload("Deployment"))
	denied(given) == set() with data.inventory.cluster.v1.Namespace as known("acme")
	denied(given) == {"tenant-namespace"} with data.inventory.cluster.v1.Namespace as known("other")
	places(given) == 2 with data.inventory.cluster.v1.Namespace as known("other")
}

test_missing_tenant_is_said_once if {
	given := fixture.with_pod([fixture.unset(tenant_path)])
	denied(given) == {"label-missing"} with data.inventory.cluster.v1.Namespace as known("acme")
}

test_namespace_may_change_its_tenant if {
	given := fixture.review({"kind": "Namespace", "metadata": {"name": "endcap-acme", "labels": fixture.labels}})
	denied(given) == set() with data.inventory.cluster.v1.Namespace as known("other")
}

test_tenant_of_the_pods if {
	bad := fixture.changed(fixture.workload("StatefulSet"), [fixture.set("/spec/template/metadata/labels/endcap.io~1tenant", "other")])
	denied(fixture.review(bad)) == {"tenant-pods"}
}

test_update_that_leaves_the_labels if {
	service := {"kind": "Service", "metadata": {"name": "s", "namespace": "endcap"}, "spec": {}}
	denied({"review": {"operation": "UPDATE", "object": service, "oldObject": service}, "parameters": fixture.parameters}) == set()
}

# Another's: its value, its namespace's tenant and its pods' tenant are all wrong.
test_elsewhere if {
	other := {"app.kubernetes.io/part-of": "shop", "endcap.io/tenant": "a"}
	given := fixture.review({
		"kind": "Deployment",
		"metadata": {"name": "d", "namespace": "shop", "labels": other},
		"spec": {"template": {"metadata": {"labels": object.union(other, {"endcap.io/tenant": "b"})}}},
	})
	denied(given) == set() with data.inventory.cluster.v1.Namespace.shop.metadata.labels as {"endcap.io/tenant": "c"}
	here := json.patch(given, [fixture.set("/review/object/metadata/namespace", "endcap")])
	here_denied := denied(here) with data.inventory.cluster.v1.Namespace.endcap.metadata.labels as {"endcap.io/tenant": "c"}
	every rule in ["label-value", "tenant-namespace", "tenant-pods"] { rule in here_denied }
}
