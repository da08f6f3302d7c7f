# No privilege: nothing that lets a container out of its box.
package endcap.privilege

import data.lib.message
import data.lib.workload
import future.keywords.contains
import future.keywords.if
import future.keywords.in

pod := workload.pod(input.review, input.parameters)

containers := workload.containers(input.review, pod)

security(container) := workload.object_get(container.spec, ["securityContext"], {})

field(container, name) := sprintf("%sspec.%s[%d].%s", [workload.prefix(input.review), container.list, container.index, name])

pod_field(name) := sprintf("%sspec.%s", [workload.prefix(input.review), name])

# --- the container --------------------------------------------------------------------------

violation contains message.denial(
	"privileged",
	container.place,
	"securityContext.privileged is true",
	"false, or left out",
	sprintf("take out %s", [field(container, "securityContext.privileged")]),
) if {
	some container in containers
	security(container).privileged == true
}

# Left out it means true.
violation contains message.denial(
	"privilege-escalation",
	container.place,
	"securityContext.allowPrivilegeEscalation is not false",
	"false; left out it means true",
	sprintf("set %s to false", [field(container, "securityContext.allowPrivilegeEscalation")]),
) if {
	some container in containers
	not security(container).allowPrivilegeEscalation == false
}

violation contains message.denial(
	"capabilities-added",
	container.place,
	sprintf("securityContext.capabilities.add names %s", [message.listed(added)]),
	message.listed(allowed_capabilities),
	sprintf("take out %s", [field(container, "securityContext.capabilities.add")]),
) if {
	some container in containers
	added := [name |
		some name in workload.object_get(security(container), ["capabilities", "add"], [])
		not name in allowed_capabilities
	]
	count(added) > 0
}

allowed_capabilities := workload.object_get(input.parameters, ["capabilities"], [])

violation contains message.denial(
	"capabilities-kept",
	container.place,
	"securityContext.capabilities.drop does not name ALL",
	"drop: [ALL]",
	sprintf("set %s to [ALL]", [field(container, "securityContext.capabilities.drop")]),
) if {
	some container in containers
	not "ALL" in workload.object_get(security(container), ["capabilities", "drop"], [])
}

violation contains message.denial(
	"proc-mount",
	container.place,
	sprintf("securityContext.procMount is %q", [mount]),
	"Default, or left out",
	sprintf("take out %s", [field(container, "securityContext.procMount")]),
) if {
	some container in containers
	mount := workload.object_get(security(container), ["procMount"], "Default")
	mount != "Default"
}

violation contains message.denial(
	"host-port",
	container.place,
	sprintf("port %v of the node is taken (hostPort)", [port.hostPort]),
	"ports of the pod alone",
	sprintf("take out %s and reach the pod by its Service", [field(container, sprintf("ports[%d].hostPort", [index]))]),
) if {
	some container in containers
	some index, port in workload.object_get(container.spec, ["ports"], [])
	workload.object_get(port, ["hostPort"], 0) != 0
}

# --- the user: the container's word counts, else the pod's ----------------------------------

effective(container, name) := workload.object_get(
	security(container), [name],
	workload.object_get(pod, ["spec", "securityContext", name], null),
)

violation contains message.denial(
	"run-as-root",
	container.place,
	"runAsNonRoot is not true for it",
	"securityContext.runAsNonRoot: true, of the container or else of its pod",
	sprintf("set %s to true, and leave it out of the container", [pod_field("securityContext.runAsNonRoot")]),
) if {
	some container in containers
	effective(container, "runAsNonRoot") != true
}

violation contains message.denial(
	"root-user",
	container.place,
	sprintf("%s is 0, which is root", [name]),
	"any other number, for example 65532",
	sprintf("set %s to such a number, and leave it out of the container", [pod_field(sprintf("securityContext.%s", [name]))]),
) if {
	some container in containers
	some name in ["runAsUser", "runAsGroup"]
	effective(container, name) == 0
}

violation contains message.denial(
	"seccomp",
	container.place,
	"its securityContext.seccompProfile.type is not an allowed one",
	message.listed(seccomp_profiles),
	sprintf("set %s to RuntimeDefault, and leave it out of the container", [pod_field("securityContext.seccompProfile.type")]),
) if {
	some container in containers
	not confined(container)
}

# Apart, for within `not` a profile that is absent would deny nothing.
confined(container) if effective(container, "seccompProfile").type in seccomp_profiles

seccomp_profiles := ["RuntimeDefault", "Localhost"]

violation contains message.denial(
	"apparmor",
	container.place,
	"its securityContext.appArmorProfile.type is Unconfined",
	"any other profile, or none named",
	sprintf("take it out of %s and of the container", [pod_field("securityContext.appArmorProfile")]),
) if {
	some container in containers
	effective(container, "appArmorProfile").type == "Unconfined"
}

# Before Kubernetes 1.30 the profile was an annotation, which still counts.
violation contains message.denial(
	"apparmor-annotation",
	workload.place(input.review),
	sprintf("annotation %s is unconfined", [key]),
	"any other profile, or none named",
	sprintf("take it out of %smetadata.annotations", [workload.prefix(input.review)]),
) if {
	some key, value in workload.annotations(pod)
	startswith(key, "container.apparmor.security.beta.kubernetes.io/")
	value == "unconfined"
}

violation contains message.denial(
	"selinux",
	container.place,
	sprintf("its securityContext.seLinuxOptions.%s is %q", [name, value]),
	sprintf("no user, no role, and of types %s", [message.listed(selinux.type)]),
	sprintf("take it out of %s and of the container", [pod_field("securityContext.seLinuxOptions")]),
) if {
	some container in containers
	some name, allowed in selinux
	value := effective(container, "seLinuxOptions")[name]
	not value in array.concat(allowed, ["", null])
}

# The types that Kubernetes' baseline standard allows.
selinux := {"user": [], "role": [], "type": ["container_t", "container_init_t", "container_kvm_t"]}

# --- the pod --------------------------------------------------------------------------------

violation contains message.denial(
	"host-namespace",
	workload.place(input.review),
	sprintf("%s is true", [name]),
	"false, or left out",
	sprintf("take out %s", [pod_field(name)]),
) if {
	some name in ["hostNetwork", "hostPID", "hostIPC"]
	pod.spec[name] == true
}

violation contains message.denial(
	"sysctl",
	workload.place(input.review),
	sprintf("securityContext.sysctls sets %s", [workload.object_get(setting, ["name"], "one")]),
	"nothing",
	sprintf("take it out of %s", [pod_field("securityContext.sysctls")]),
) if {
	some setting in workload.object_get(pod, ["spec", "securityContext", "sysctls"], [])
}

# --- volumes, and folders of the node --------------------------------------------------------------------

volumes := workload.object_get(pod, ["spec", "volumes"], [])

host_paths := workload.object_get(input.parameters, ["hostPaths"], [])

# The kinds that Kubernetes' restricted standard allows; hostPath has rules of its own.
volume_kinds := ["configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"]

violation contains message.denial(
	"volume-kind",
	workload.place(input.review),
	sprintf("volume %q is of kind %s", [volume.name, kind]),
	message.listed(array.concat(volume_kinds, ["hostPath of listed folders"])),
	sprintf("take it out of %s and use a claim", [pod_field("volumes")]),
) if {
	some volume in volumes
	some kind, _ in volume
	not kind in array.concat(volume_kinds, ["name", "hostPath"])
}

violation contains message.denial(
	"host-path",
	workload.place(input.review),
	sprintf("volume %q is the node's folder %q", [volume.name, path]),
	sprintf("%s, and what is below them", [message.listed(host_paths)]),
	sprintf("take the volume out of %s and use an emptyDir, a ConfigMap or a claim", [pod_field("volumes")]),
) if {
	some volume in volumes
	is_object(volume.hostPath)
	path := workload.object_get(volume, ["hostPath", "path"], "")
	not allowed_path(path)
}

violation contains message.denial(
	"host-path-writable",
	container.place,
	sprintf("volume %q, a folder of the node, is mounted without readOnly: true", [volume.name]),
	"folders of the node read-only",
	sprintf("set %s to true", [field(container, sprintf("volumeMounts[%d].readOnly", [index]))]),
) if {
	some volume in volumes
	is_object(volume.hostPath)
	some container in containers
	some index, mount in workload.object_get(container.spec, ["volumeMounts"], [])
	mount.name == volume.name
	not mount.readOnly == true
}

# Element by element, so that neither "//" nor "." hides a path. ".." is never allowed.
allowed_path(path) if {
	some allowed in host_paths
	want := elements(allowed)
	count(want) > 0
	have := elements(path)
	startswith(path, "/")
	not ".." in have
	array.slice(have, 0, count(want)) == want
}

elements(path) := [element | some element in split(path, "/"); not element in ["", "."]]
