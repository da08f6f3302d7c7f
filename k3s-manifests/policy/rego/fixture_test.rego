# What the tests of every rule start from: a pod that all rules allow, and small changes to it.
package fixture

import future.keywords.if
import future.keywords.in

labels := {
	"app.kubernetes.io/name": "endcap",
	"app.kubernetes.io/component": "recommender",
	"app.kubernetes.io/part-of": "endcap",
	"app.kubernetes.io/version": "0.1.0",
	"endcap.io/tenant": "acme",
}

container(name) := {
	"name": name,
	"image": sprintf("registry.example/endcap/service@sha256:%s", [digest]),
	"resources": {
		"limits": {"cpu": "500m", "memory": "256Mi"},
		"requests": {"cpu": "100m", "memory": "128Mi"},
	},
	"securityContext": {
		"allowPrivilegeEscalation": false,
		"readOnlyRootFilesystem": true,
		"capabilities": {"drop": ["ALL"]},
	},
}

digest := concat("", [sprintf("%02x", [n]) | some n in numbers.range(1, 32)])

template := {
	"metadata": {
		"labels": labels,
		"annotations": {
			"module.wasm.image/variant": "compat-smart",
			"endcap.io/model-bytes": "7100000",
			"endcap.io/model-created": "2026-01-31T12:00:00Z",
		},
	},
	"spec": {
		"runtimeClassName": "wasmedge",
		"securityContext": {
			"runAsNonRoot": true,
			"runAsUser": 65532,
			"seccompProfile": {"type": "RuntimeDefault"},
		},
		"containers": [object.union(container("endcap"), {"volumeMounts": [{"name": "plugins", "mountPath": "/opt/endcap/plugins", "readOnly": true}]})],
		"initContainers": [container("first")],
		"ephemeralContainers": [object.remove(container("debug"), ["resources"])],
		"volumes": [{"name": "plugins", "hostPath": {"path": "/opt/endcap/wasmedge/plugins"}}],
	},
}

meta := {"name": "endcap", "namespace": "endcap-acme", "labels": labels}

pod := {
	"apiVersion": "v1",
	"kind": "Pod",
	"metadata": object.union(meta, {"annotations": template.metadata.annotations}),
	"spec": template.spec,
}

# The same pod in every kind that makes pods.
workload("Pod") := pod

workload("PodTemplate") := {"kind": "PodTemplate", "metadata": meta, "template": template}

workload("CronJob") := {"kind": "CronJob", "metadata": meta, "spec": {"jobTemplate": {"spec": {"template": template}}}}

workload(kind) := {"kind": kind, "metadata": meta, "spec": {"template": template}} if {
	kind in {"Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "ReplicationController", "Job"}
}

kinds := ["Pod", "PodTemplate", "Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "ReplicationController", "Job", "CronJob"]

parameters := {
	"runtimeClasses": ["wasmedge"],
	"nativeImages": ["registry.example/endcap/redis"],
	"annotations": {"module.wasm.image/variant": "compat-smart"},
	"registries": ["registry.example/endcap"],
	"maxCPU": "2",
	"maxMemory": "1Gi",
	"allowEphemeralContainers": true,
	"hostPaths": ["/opt/endcap/wasmedge/plugins", "/var/lib/endcap/models/"],
	"labels": [{"key": "app.kubernetes.io/name"}, {"key": "app.kubernetes.io/part-of", "values": ["endcap"]}, {"key": "endcap.io/tenant"}],
	"maxModelBytes": 100000000,
	"maxAgeDays": 30,
	"maxSkewMinutes": 5,
}

# 2026-02-10T00:00:00Z
now_ns := 1770681600000000000

review(object) := {"review": {"object": object, "operation": "CREATE"}, "parameters": parameters}

# set(path, value) and unset(path): changes for changed(). "add" also replaces.
set(path, value) := {"op": "add", "path": path, "value": value}

unset(path) := {"op": "remove", "path": path}

changed(thing, changes) := json.patch(thing, changes)

# A review of the pod with changes.
with_pod(changes) := review(changed(pod, changes))

# A review of the pod with other parameters.
with_parameters(changes) := {"review": review(pod).review, "parameters": changed(parameters, changes)}

# Rules that deny, each once.
rules(violations) := {violation.details.rule | some violation in violations}

# sorts: the lists of containers that a denial has to cover.
sorts := ["containers", "initContainers", "ephemeralContainers"]

# seen(violations): which sorts the denials name.
seen(violations) := {sort |
	some violation in violations
	some sort, text in {"containers": ", container ", "initContainers": ", init container ", "ephemeralContainers": ", ephemeral container "}
	contains(violation.details.place, text)
}
