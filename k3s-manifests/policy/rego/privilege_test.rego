package endcap.privilege_test

import data.endcap.privilege
import data.fixture
import future.keywords.every
import future.keywords.if
import future.keywords.in

denied(given) := got if got := fixture.rules(privilege.violation) with input as given

violations(given) := got if got := privilege.violation with input as given

test_allowed_in_every_kind if {
	every kind in fixture.kinds { denied(fixture.review(fixture.workload(kind))) == set() }
}

# --- containers -----------------------------------------------------------------------------

# What a container's securityContext may not say, and the rule that says so.
bad_security := [
	["privileged", true, "privileged"],
	["allowPrivilegeEscalation", true, "privilege-escalation"],
	["allowPrivilegeEscalation", null, "privilege-escalation"],
	["allowPrivilegeEscalation", "false", "privilege-escalation"],
	["capabilities", {"drop": ["ALL"], "add": ["NET_ADMIN"]}, "capabilities-added"],
	["capabilities", {"drop": ["NET_RAW"]}, "capabilities-kept"],
	["capabilities", null, "capabilities-kept"],
	["procMount", "Unmasked", "proc-mount"],
	["runAsNonRoot", false, "run-as-root"],
	["runAsUser", 0, "root-user"],
	["runAsGroup", 0, "root-user"],
	["seccompProfile", {"type": "Unconfined"}, "seccomp"],
	["appArmorProfile", {"type": "Unconfined"}, "apparmor"],
	["seLinuxOptions", {"type": "spc_t"}, "selinux"],
	["seLinuxOptions", {"user": "root", "type": "container_t"}, "selinux"],
	["seLinuxOptions", {"role": "r"}, "selinux"],
]

test_security_of_every_sort_of_container if {
	every entry in bad_security {
		[field, value, rule] := entry
		bad := [fixture.set(sprintf("/spec/%s/0/securityContext/%s", [sort, field]), value) | some sort in fixture.sorts]
		got := violations(fixture.with_pod(bad))
		fixture.rules(got) == {rule}
		fixture.seen(got) == {sort | some sort in fixture.sorts}
	}
}

test_security_left_out if {
	denied(fixture.with_pod([fixture.unset("/spec/containers/0/securityContext")])) == {"privilege-escalation", "capabilities-kept"}
}

test_capability_that_is_listed if {
	bad := fixture.with_pod([fixture.set("/spec/containers/0/securityContext/capabilities/add", ["NET_BIND_SERVICE"])])
	denied(bad) == {"capabilities-added"}
	denied(object.union(bad, {"parameters": {"capabilities": ["NET_BIND_SERVICE"]}})) == set()
}

test_host_port_of_every_sort_of_container if {
	bad := [fixture.set(sprintf("/spec/%s/0/ports", [sort]), [{"containerPort": 80}, {"containerPort": 8080, "hostPort": 8080}]) | some sort in fixture.sorts]
	got := violations(fixture.with_pod(bad))
	fixture.rules(got) == {"host-port"}
	count(got) == 3
	denied(fixture.with_pod([fixture.set("/spec/containers/0/ports", [{"containerPort": 80, "hostPort": 0}])])) == set()
}

# --- the user -------------------------------------------------------------------------------

test_user_of_the_pod if {
	denied(fixture.with_pod([fixture.unset("/spec/securityContext/runAsNonRoot")])) == {"run-as-root"}
	denied(fixture.with_pod([fixture.set("/spec/securityContext/runAsUser", 0)])) == {"root-user"}
	denied(fixture.with_pod([fixture.set("/spec/securityContext/runAsGroup", 0)])) == {"root-user"}
	denied(fixture.with_pod([fixture.unset("/spec/securityContext/seccompProfile")])) == {"seccomp"}
	denied(fixture.with_pod([fixture.unset("/spec/securityContext")])) == {"run-as-root", "seccomp"}
}

test_container_speaks_for_itself if {
	good := {"runAsNonRoot": true, "runAsUser": 1, "seccompProfile": {"type": "Localhost", "localhostProfile": "p"}}
	changes := [fixture.set(sprintf("/spec/%s/0/securityContext", [sort]), security) |
		some sort in fixture.sorts
		security := object.union(fixture.container("c").securityContext, good)
	]
	denied(fixture.with_pod(array.concat(changes, [fixture.set("/spec/securityContext", {"runAsUser": 0})]))) == set()
}

test_security_modules_of_the_pod if {
	denied(fixture.with_pod([fixture.set("/spec/securityContext/appArmorProfile", {"type": "Unconfined"})])) == {"apparmor"}
	denied(fixture.with_pod([fixture.set("/spec/securityContext/appArmorProfile", {"type": "RuntimeDefault"})])) == set()
	denied(fixture.with_pod([fixture.set("/spec/securityContext/seLinuxOptions", {"type": "spc_t"})])) == {"selinux"}
	denied(fixture.with_pod([fixture.set("/spec/securityContext/seLinuxOptions", {"level": "s0", "type": "container_t", "user": ""})])) == set()
}

test_apparmor_as_annotation if {
	path := "/metadata/annotations/container.apparmor.security.beta.kubernetes.io~1endcap"
	denied(fixture.with_pod([fixture.set(path, "unconfined")])) == {"apparmor-annotation"}
	denied(fixture.with_pod([fixture.set(path, "runtime/default")])) == set()
	denied(fixture.with_pod([fixture.set("/metadata/annotations/other", "unconfined")])) == set()
}

# --- the pod --------------------------------------------------------------------------------

test_host_namespaces if {
	every name in ["hostNetwork", "hostPID", "hostIPC"] {
		denied(fixture.with_pod([fixture.set(sprintf("/spec/%s", [name]), true)])) == {"host-namespace"}
		denied(fixture.with_pod([fixture.set(sprintf("/spec/%s", [name]), false)])) == set()
	}
	denied(fixture.with_pod([fixture.set("/spec/enableServiceLinks", true)])) == set()
}

test_sysctls if {
	denied(fixture.with_pod([fixture.set("/spec/securityContext/sysctls", [{"name": "kernel.msgmax", "value": "1"}])])) == {"sysctl"}
	denied(fixture.with_pod([fixture.set("/spec/securityContext/sysctls", [{}])])) == {"sysctl"}
}

# --- volumes --------------------------------------------------------------------------------

host_path(path) := fixture.with_pod([fixture.set("/spec/volumes/0/hostPath/path", path)])

test_host_paths_allowed if {
	every path in ["/opt/endcap/wasmedge/plugins", "/opt/endcap/wasmedge/plugins/", "//opt/./endcap/wasmedge/plugins/x", "/var/lib/endcap/models/shop"] {
		denied(host_path(path)) == set()
	}
}

test_host_paths_denied if {
	every path in [
		"/", "", "/etc", "/opt/endcap/wasmedge", "/opt/endcap/wasmedge/plugins-of-mine", "opt/endcap/wasmedge/plugins",
		"/opt/endcap/wasmedge/plugins/..", "/opt/endcap/wasmedge/plugins/../../../../etc", "/x/opt/endcap/wasmedge/plugins",
	] {
		denied(host_path(path)) == {"host-path"}
	}
	denied(fixture.with_pod([fixture.set("/spec/volumes/0/hostPath", {})])) == {"host-path"}
}

test_host_paths_of_ones_own if {
	denied(fixture.with_parameters([fixture.set("/hostPaths", [])])) == {"host-path"}
	denied(fixture.with_parameters([fixture.unset("/hostPaths")])) == {"host-path"}
	every path in ["/", "", "//."] { denied(fixture.with_parameters([fixture.set("/hostPaths", [path])])) == {"host-path"} }
}

test_host_path_writable_in_every_sort_of_container if {
	every mount in [{"name": "plugins", "mountPath": "/p"}, {"name": "plugins"}, {"name": "plugins", "mountPath": "/p", "readOnly": false}] {
		bad := [fixture.set(sprintf("/spec/%s/0/volumeMounts", [sort]), [mount]) | some sort in fixture.sorts]
		got := violations(fixture.with_pod(bad))
		fixture.rules(got) == {"host-path-writable"}
		fixture.seen(got) == {sort | some sort in fixture.sorts}
	}
}

test_other_mounts_may_be_written if {
	denied(fixture.with_pod([
		fixture.set("/spec/volumes/-", {"name": "state", "emptyDir": {}}),
		fixture.set("/spec/containers/0/volumeMounts/-", {"name": "state", "mountPath": "/state"}),
	])) == set()
}

test_kinds_of_volumes if {
	denied(fixture.with_pod([fixture.set("/spec/volumes/-", {"name": "n", "nfs": {"server": "s", "path": "/"}})])) == {"volume-kind"}
	every kind in privilege.volume_kinds {
		denied(fixture.with_pod([fixture.set("/spec/volumes/-", {"name": "n", kind: {}})])) == set()
	}
	denied(fixture.with_pod([fixture.set("/spec/volumes", null)])) == set()
}
