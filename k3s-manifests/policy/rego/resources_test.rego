package endcap.resources_test

import data.endcap.resources
import data.fixture
import future.keywords.every
import future.keywords.if
import future.keywords.in

denied(given) := got if got := fixture.rules(resources.violation) with input as given

violations(given) := got if got := resources.violation with input as given

of(kind, list, resource) := sprintf("/spec/%s/0/resources/%s/%s", [kind, list, resource])

test_allowed_in_every_kind if {
	every kind in fixture.kinds { denied(fixture.review(fixture.workload(kind))) == set() }
}

# --- missing, unreadable, nothing -----------------------------------------------------------

test_missing if {
	every resource in ["cpu", "memory"] {
		denied(fixture.with_pod([fixture.unset(of("containers", "limits", resource))])) == {"limit-missing"}
		denied(fixture.with_pod([fixture.unset(of("containers", "requests", resource))])) == {"request-missing"}
		denied(fixture.with_pod([fixture.set(of("containers", "limits", resource), null)])) == {"limit-missing"}
	}
	count(violations(fixture.with_pod([fixture.unset("/spec/containers/0/resources")]))) == 4
	count(violations(fixture.with_pod([fixture.set("/spec/containers/0/resources", null)]))) == 4
}

test_init_containers_too if {
	got := violations(fixture.with_pod([fixture.unset("/spec/initContainers/0/resources")]))
	count(got) == 4
	fixture.seen(got) == {"initContainers"}
}

test_unreadable_is_denied if {
	every text in ["one", "1 Gi", "1Gb", "", true, ["1"]] {
		denied(fixture.with_pod([fixture.set(of("containers", "limits", "memory"), text)])) == {"quantity-unreadable"}
		denied(fixture.with_pod([fixture.set(of("initContainers", "requests", "cpu"), text)])) == {"quantity-unreadable"}
	}
}

test_nothing_and_less if {
	every text in ["0", "0Gi", 0, "0.0"] {
		denied(fixture.with_pod([fixture.set(of("containers", "requests", "cpu"), text)])) == {"quantity-not-positive"}
	}
	denied(fixture.with_pod([fixture.set(of("containers", "requests", "memory"), "-1")])) == {"quantity-not-positive"}
	"quantity-not-positive" in denied(fixture.with_pod([fixture.set(of("containers", "limits", "cpu"), "0")]))
}

test_request_over_limit if {
	denied(fixture.with_pod([fixture.set(of("containers", "requests", "cpu"), "501m")])) == {"request-over-limit"}
	denied(fixture.with_pod([fixture.set(of("containers", "requests", "memory"), "257Mi")])) == {"request-over-limit"}
	denied(fixture.with_pod([fixture.set(of("containers", "requests", "cpu"), "0.5")])) == set()
}

# --- budget ---------------------------------------------------------------------------------

at_the_budget := [["cpu", "2"], ["cpu", 2], ["cpu", "2000m"], ["cpu", "2e0"], ["memory", "1Gi"], ["memory", "1024Mi"], ["memory", "1G"], ["memory", 1073741824]]

over_the_budget := [["cpu", "2.001"], ["cpu", "2001m"], ["cpu", 3], ["cpu", "1e3"], ["memory", "1.001Gi"], ["memory", "1025Mi"], ["memory", "1.1G"], ["memory", 1073741825], ["memory", "1Ei"]]

test_budget if {
	every entry in at_the_budget {
		denied(fixture.with_pod([fixture.set(of("containers", "limits", entry[0]), entry[1])])) == set()
	}
	every entry in over_the_budget {
		denied(fixture.with_pod([fixture.set(of("containers", "limits", entry[0]), entry[1])])) == {"pod-budget"}
		denied(fixture.with_pod([fixture.set(of("initContainers", "limits", entry[0]), entry[1])])) == {"pod-budget"}
	}
}

limited(name, cpu) := object.union(fixture.container(name), {"resources": {"limits": {"cpu": cpu}}})

sidecar(name, cpu) := object.union(limited(name, cpu), {"restartPolicy": "Always"})

with_containers(init, main) := fixture.with_pod([fixture.set("/spec/initContainers", init), fixture.set("/spec/containers", main)])

test_containers_add_up if {
	denied(with_containers([], [limited("a", "1"), limited("b", "1")])) == set()
	denied(with_containers([], [limited("a", "1"), limited("b", "1001m")])) == {"pod-budget"}
	denied(with_containers([], [limited("a", "1.9"), limited("b", "100m")])) == set()
}

test_init_containers_do_not_add_up if {
	denied(with_containers([limited("i", "2"), limited("j", "2")], [limited("a", "2")])) == set()
}

test_sidecars_add_up if {
	denied(with_containers([sidecar("s", "1")], [limited("a", "1")])) == set()
	denied(with_containers([sidecar("s", "1.5")], [limited("a", "1")])) == {"pod-budget"}
}

test_init_container_adds_the_sidecars_before_it if {
	denied(with_containers([sidecar("s", "1"), limited("i", "1.5")], [limited("a", "1")])) == {"pod-budget"}
	denied(with_containers([limited("i", "1.5"), sidecar("s", "1")], [limited("a", "1")])) == set()
}

test_other_budget if {
	denied(fixture.with_parameters([fixture.set("/maxCPU", "0.4")])) == {"pod-budget"}
	denied(fixture.with_parameters([fixture.set("/maxMemory", 1000000)])) == {"pod-budget"}
	denied(fixture.with_parameters([fixture.set("/maxCPU", "0.5"), fixture.set("/maxMemory", "0.25Gi")])) == set()
}

test_budget_unreadable if {
	every name in ["maxCPU", "maxMemory"] {
		denied(fixture.with_parameters([fixture.unset(sprintf("/%s", [name]))])) == {"budget-unreadable"}
		denied(fixture.with_parameters([fixture.set(sprintf("/%s", [name]), "much")])) == {"budget-unreadable"}
	}
}

# --- ephemeral containers -------------------------------------------------------------------

test_ephemeral_container if {
	denied(fixture.with_parameters([fixture.set("/allowEphemeralContainers", false)])) == {"ephemeral-container"}
	denied(fixture.with_parameters([fixture.unset("/allowEphemeralContainers")])) == {"ephemeral-container"}
	got := violations(fixture.with_parameters([fixture.set("/allowEphemeralContainers", false)]))
	fixture.seen(got) == {"ephemeralContainers"}
}
