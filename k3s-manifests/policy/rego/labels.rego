# The common labels, and a tenant that is the namespace's.
package endcap.labels

import data.lib.message
import data.lib.workload
import future.keywords.contains
import future.keywords.if
import future.keywords.in

# A Service or a Namespace has no pod: its own labels are all there is to judge.
subject := input.review.object

judged if workload.judged(input.review, input.parameters)

# Where labels are asked for: on the object, and on the pods it makes.
carriers := array.concat([{"at": "", "labels": workload.labels(subject)}], templates)

templates := [{"at": workload.prefix(input.review), "labels": workload.labels(workload.pod_of(subject))} |
	count(workload.pod_paths[subject.kind]) > 0
]

# A constraint without parameters asks for the common labels with any value.
wanted := workload.object_get(input.parameters, ["labels"], [{"key": key} | some key in common])

common := [
	"app.kubernetes.io/name",
	"app.kubernetes.io/component",
	"app.kubernetes.io/part-of",
	"app.kubernetes.io/version",
	workload.tenant_label,
]

carrier(at) := sprintf("%smetadata.labels", [at])

value(entry, label) := workload.object_get(entry.labels, [label], "")

violation contains message.denial(
	"label-missing",
	workload.place(input.review),
	sprintf("%s has no %s", [carrier(entry.at), label.key]),
	allowed(label),
	sprintf("set %s[%q]", [carrier(entry.at), label.key]),
) if {
	judged
	some entry in carriers
	some label in wanted
	value(entry, label.key) == ""
}

violation contains message.denial(
	"label-value",
	workload.place(input.review),
	sprintf("%s has %s: %s", [carrier(entry.at), label.key, value(entry, label.key)]),
	allowed(label),
	sprintf("set %s[%q] to an allowed value", [carrier(entry.at), label.key]),
) if {
	judged
	some entry in carriers
	some label in wanted
	value(entry, label.key) != ""
	count(choices(label)) > 0
	not value(entry, label.key) in choices(label)
}

choices(label) := workload.object_get(label, ["values"], [])

allowed(label) := sprintf("%s: %s", [label.key, concat(" or ", choices(label))]) if count(choices(label)) > 0

allowed(label) := sprintf("%s with any value", [label.key]) if count(choices(label)) == 0

violation contains message.denial(
	"tenant-namespace",
	workload.place(input.review),
	sprintf("%s has %s: %s", [carrier(entry.at), workload.tenant_label, tenant]),
	sprintf("%s, the tenant of namespace %s", [known, workload.namespace(input.review)]),
	sprintf("set %s[%q] to %s, or apply it in that tenant's namespace", [carrier(entry.at), workload.tenant_label, known]),
) if {
	judged
	subject.kind != "Namespace"
	known := workload.namespace_labels(workload.namespace(input.review))[workload.tenant_label]
	some entry in carriers
	tenant := value(entry, workload.tenant_label)
	tenant != ""
	tenant != known
}

violation contains message.denial(
	"tenant-pods",
	workload.place(input.review),
	sprintf("it is of tenant %s, its pods of %s", [own, theirs]),
	"one tenant",
	sprintf("set %s[%q] to %s", [carrier(workload.prefix(input.review)), workload.tenant_label, own]),
) if {
	judged
	own := value(carriers[0], workload.tenant_label)
	theirs := value(templates[0], workload.tenant_label)
	theirs != ""
	own != theirs
}
