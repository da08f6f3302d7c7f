# CPU and memory: limits and requests on every container, and the pod within the edge budget.
package endcap.resources

import data.lib.message
import data.lib.quantity
import data.lib.workload
import future.keywords.contains
import future.keywords.if
import future.keywords.in

pod := workload.pod(input.review, input.parameters)

containers := workload.containers(input.review, pod)

# The API takes no resources on an ephemeral container.
bounded := [container | some container in containers; container.list != "ephemeralContainers"]

resources := ["cpu", "memory"]

budget := {
	"cpu": workload.object_get(input.parameters, ["maxCPU"], null),
	"memory": workload.object_get(input.parameters, ["maxMemory"], null),
}

budget_text := sprintf("at most %v CPU and %v memory a pod", [budget.cpu, budget.memory])

amount(container, list, resource) := workload.object_get(container.spec, ["resources", list, resource], null)

field(container, list, resource) := sprintf("%sspec.%s[%d].resources.%s.%s", [
	workload.prefix(input.review),
	container.list, container.index, list, resource,
])

violation contains message.denial(
	rule,
	container.place,
	sprintf("resources.%s.%s is missing", [list, resource]),
	sprintf("%s, limits and requests set on every container", [budget_text]),
	sprintf("set %s", [field(container, list, resource)]),
) if {
	some container in bounded
	some list, rule in {"limits": "limit-missing", "requests": "request-missing"}
	some resource in resources
	amount(container, list, resource) == null
}

violation contains message.denial(
	"quantity-unreadable",
	container.place,
	sprintf("resources.%s.%s is %s, which is no quantity", [list, resource, json.marshal(value)]),
	"numbers such as 500m, 0.5 or 2 for cpu, and 512Mi, 1Gi or 1G for memory",
	sprintf("write %s as such a number", [field(container, list, resource)]),
) if {
	some container in bounded
	some list in ["limits", "requests"]
	some resource in resources
	value := amount(container, list, resource)
	value != null
	not quantity.readable(value)
}

# A limit of 0 is no limit to the runtime.
violation contains message.denial(
	"quantity-not-positive",
	container.place,
	sprintf("resources.%s.%s is %s, which bounds nothing", [list, resource, json.marshal(value)]),
	sprintf("more than 0; %s", [budget_text]),
	sprintf("set %s to what the container needs", [field(container, list, resource)]),
) if {
	some container in bounded
	some list in ["limits", "requests"]
	some resource in resources
	value := amount(container, list, resource)
	quantity.milli(value) <= 0
}

violation contains message.denial(
	"request-over-limit",
	container.place,
	sprintf("resources.requests.%s is %v, more than its limit %v", [resource, request, limit]),
	"a request no larger than the limit",
	sprintf("lower %s, or raise the limit within the budget", [field(container, "requests", resource)]),
) if {
	some container in bounded
	some resource in resources
	request := amount(container, "requests", resource)
	limit := amount(container, "limits", resource)
	quantity.milli(request) > quantity.milli(limit)
}

violation contains message.denial(
	"pod-budget",
	workload.place(input.review),
	sprintf("the containers' limits come to %s of %s", [quantity.show(resource, needed(resource)), resource]),
	budget_text,
	sprintf("lower resources.limits.%s of its containers", [resource]),
) if {
	some resource in resources
	needed(resource) > quantity.milli(budget[resource])
}

# A budget that cannot be read would otherwise allow everything.
violation contains message.denial(
	"budget-unreadable",
	workload.place(input.review),
	sprintf("this constraint's budget for %s is %s, which is no quantity", [resource, json.marshal(budget[resource])]),
	"numbers such as 2 for maxCPU and 1Gi for maxMemory",
	"write spec.parameters.maxCPU and maxMemory of this constraint as such numbers",
) if {
	pod
	some resource in resources
	not quantity.readable(budget[resource])
}

violation contains message.denial(
	"ephemeral-container",
	container.place,
	"an ephemeral container can have no limits of its own",
	"containers with limits",
	"debug a copy of the pod (kubectl debug POD --copy-to=NAME), or set allowEphemeralContainers in this constraint",
) if {
	some container in containers
	container.list == "ephemeralContainers"
	not input.parameters.allowEphemeralContainers
}

# --- what a pod needs at once ---------------------------------------------------------------

# As the scheduler counts: the larger of its steady state (containers and sidecars), and of
# each init container with the sidecars started before it.
needed(resource) := max([peak | some peak in array.concat([steady(resource)], starts(resource))])

steady(resource) := sum([limit(container, resource) |
	some container in bounded
	not starter(container)
])

starts(resource) := [peak |
	some container in bounded
	starter(container)
	peak := limit(container, resource) + sum([limit(earlier, resource) |
		some earlier in bounded
		sidecar(earlier)
		earlier.index < container.index
	])
]

# An init container that ends before the next one starts.
starter(container) if {
	container.list == "initContainers"
	not sidecar(container)
}

sidecar(container) if {
	container.list == "initContainers"
	container.spec.restartPolicy == "Always"
}

# What is missing or unreadable has a denial of its own.
limit(container, resource) := milli if {
	milli := quantity.milli(amount(container, "limits", resource))
} else := 0
