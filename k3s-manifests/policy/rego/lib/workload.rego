# What is under review: the object, the pod it would start, and that pod's containers.
#
# Nothing here reads `input`: review and parameters are arguments.
package lib.workload

import future.keywords.contains
import future.keywords.every
import future.keywords.if
import future.keywords.in

tenant_label := "endcap.io/tenant"

# Where each kind keeps its pod.
pod_paths := {
	"Pod": [],
	"PodTemplate": ["template"],
	"Deployment": ["spec", "template"],
	"StatefulSet": ["spec", "template"],
	"DaemonSet": ["spec", "template"],
	"ReplicaSet": ["spec", "template"],
	"ReplicationController": ["spec", "template"],
	"Job": ["spec", "template"],
	"CronJob": ["spec", "jobTemplate", "spec", "template"],
}

# --- what is judged -------------------------------------------------------------------------

# pod(review, parameters): the pod to judge; undefined where there is none, or nothing to judge.
pod(review, parameters) := pod_of(review.object) if {
	has_pod(review.object)
	judged(review, parameters)
}

has_pod(thing) if pod_paths[thing.kind]

# An object of a kind without pods has an empty one.
pod_of(thing) := object_get(thing, object.get(pod_paths, thing.kind, ["no pod"]), {})

# Judged is what is endcap's, unless it goes away or is updated without a change to what the
# rules read: refusing such an update would stop nothing that runs, and would keep controllers
# from taking a finalizer off. Audit has no operation and sees everything.
judged(review, parameters) if {
	object.get(review, "operation", "") != "DELETE"
	ours(review, parameters)
	not unchanged(review)
}

unchanged(review) if {
	review.operation == "UPDATE"
	said(pod_of(review.oldObject)) == said(pod_of(review.object))
	labels(review.oldObject) == labels(review.object)
}

# A pod's status, or when it was made, is nothing that rules read.
said(thing) := {
	"spec": object_get(thing, ["spec"], {}),
	"labels": object_get(thing, ["metadata", "labels"], {}),
	"annotations": object_get(thing, ["metadata", "annotations"], {}),
}

# --- what is endcap's -----------------------------------------------------------------------

# By namespace, by the namespace's labels where they are known, or by the labels of object or
# pod. Namespaces of tenants are named endcap-TENANT.
default_scope := {
	"namespaces": ["endcap", "endcap-*"],
	"labels": {"app.kubernetes.io/part-of": "endcap"},
}

scope(parameters, part) := object_get(parameters, ["scope", part], default_scope[part])

ours(review, parameters) if {
	some pattern in scope(parameters, "namespaces")
	glob.match(pattern, [], namespace(review))
}

ours(review, parameters) if carries(namespace_labels(namespace(review)), scope(parameters, "labels"))

ours(review, parameters) if carries(labels(review.object), scope(parameters, "labels"))

ours(review, parameters) if carries(labels(pod_of(review.object)), scope(parameters, "labels"))

# An empty list of labels means none, not any.
carries(have, want) if {
	count(want) > 0
	every key, value in want { have[key] == value }
}

# Requests about namespaced objects name the namespace; files may leave it to the object.
namespace(review) := object_get(review.object, ["metadata", "namespace"], object.get(review, "namespace", "")) if {
	review.object.kind != "Namespace"
} else := object_name(review.object)

# Only where Gatekeeper is told to keep namespaces (sync.yaml); else nothing is known.
namespace_labels(name) := labels(data.inventory.cluster.v1.Namespace[name])

labels(thing) := object_get(thing, ["metadata", "labels"], {})

annotations(thing) := object_get(thing, ["metadata", "annotations"], {})

# --- containers -----------------------------------------------------------------------------

container_lists := {
	"containers": "container",
	"initContainers": "init container",
	"ephemeralContainers": "ephemeral container",
}

# containers(review, found): every container of any sort with where it is.
containers(review, found) := [entry |
	some list, sort in container_lists
	some index, container in object_get(found, ["spec", list], [])
	entry := {
		"list": list,
		"index": index,
		"spec": container,
		"name": container_name(container, index),
		"place": sprintf("%s, %s %q", [place(review), sort, container_name(container, index)]),
	}
]

container_name(container, index) := object_get(container, ["name"], sprintf("number %d", [index]))

# --- for messages ---------------------------------------------------------------------------

place(review) := concat(" ", [review.object.kind, concat("/", [part |
	some part in array.concat([space | space := namespace(review); review.object.kind != "Namespace"], [object_name(review.object)])
	part != ""
])])

object_name(thing) := thing.metadata.name

# What a controller makes has no name yet.
object_name(thing) := concat("", [object_get(thing, ["metadata", "generateName"], ""), "*"]) if {
	not thing.metadata.name
}

# Where in the object the pod is, for hints: "spec.template.", or nothing for a Pod.
prefix(review) := concat("", [concat("", [step, "."]) | some step in pod_paths[review.object.kind]])

# --- reading --------------------------------------------------------------------------------

# object.get, where null counts as absent: the API server takes `limits: null` for no limits.
object_get(thing, path, fallback) := value if {
	value := object.get(thing, path, null)
	value != null
} else := fallback
