# What is not endcap's is nobody's business here, however bad it is.
package scope_test

import data.endcap
import data.fixture
import future.keywords.every
import future.keywords.if

worst := {
	"kind": "Pod",
	"metadata": {"name": "p", "namespace": "shop", "labels": {"endcap.io/tenant": "other"}, "annotations": {"run.oci.handler": "x"}},
	"spec": {
		"runtimeClassName": "wasmedge",
		"hostNetwork": true,
		"containers": [{"name": "c", "image": "x", "securityContext": {"privileged": true}}],
		"ephemeralContainers": [{"name": "e"}],
	},
}

rules := ["images", "labels", "model", "privilege", "readonly", "resources", "runtime"]

found(object) := {name: count(got) |
	some name in rules
	got := endcap[name].violation with input as {"review": {"object": object}, "parameters": {}}
}

test_elsewhere if {
	every name in rules { found(worst)[name] == 0 }
}

test_here if {
	every name in rules { found(json.patch(worst, [fixture.set("/metadata/namespace", "endcap")]))[name] > 0 }
}
