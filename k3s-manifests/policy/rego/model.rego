# The annotations that say how large and how old a pod's model is.
package endcap.model

import data.lib.age
import data.lib.message
import data.lib.workload
import future.keywords.contains
import future.keywords.if
import future.keywords.in

bytes_key := "endcap.io/model-bytes"

created_key := "endcap.io/model-created"

# Whoever runs the service has a model. Native programs beside it (a cache) have none, and
# only listed images are native (runtime-class).
pod := found if {
	found := workload.pod(input.review, input.parameters)
	found.spec.runtimeClassName in workload.object_get(input.parameters, ["runtimeClasses"], ["wasmedge"])
}

annotation(key) := workload.object_get(workload.annotations(pod), [key], "")

field(key) := sprintf("%smetadata.annotations[%q]", [workload.prefix(input.review), key])

# A bound that is not given allows nothing.
max_bytes := workload.object_get(input.parameters, ["maxModelBytes"], 0)

max_days := workload.object_get(input.parameters, ["maxAgeDays"], 0)

max_skew := workload.object_get(input.parameters, ["maxSkewMinutes"], 0)

# format_int, as %v may write a constraint's 100000000 as 1e+08.
size_text := sprintf("a whole number of bytes from 1 to %s", [format_int(max_bytes, 10)])

time_text := sprintf("an RFC 3339 time such as 2026-01-31T12:00:00Z, at most %v days old and not in the future", [max_days])

mend(key) := sprintf("set %s to the size of model.wasm in bytes (stat -c %%s model.wasm)", [field(key)]) if key == bytes_key

mend(key) := sprintf("set %s to what endcap-model inspect model.wasm prints as created", [field(key)]) if key == created_key

violation contains message.denial(
	rule,
	workload.place(input.review),
	sprintf("%s is missing", [field(key)]),
	allowed,
	mend(key),
) if {
	pod
	some entry in [[bytes_key, "model-bytes-missing", size_text], [created_key, "model-created-missing", time_text]]
	[key, rule, allowed] := entry
	annotation(key) == ""
}

# --- size -----------------------------------------------------------------------------------

violation contains message.denial(
	"model-bytes-unreadable",
	workload.place(input.review),
	sprintf("%s is %s", [field(bytes_key), json.marshal(annotation(bytes_key))]),
	size_text,
	mend(bytes_key),
) if {
	annotation(bytes_key) != ""
	not bytes
}

violation contains message.denial(
	"model-bytes-size",
	workload.place(input.review),
	sprintf("%s is %v", [field(bytes_key), bytes]),
	size_text,
	"pack a smaller model (fewer items, sessions or neighbours), or raise maxModelBytes of this constraint",
) if {
	size := bytes
	not within_size(size)
}

# Annotations are text; 18 digits are beyond any budget and within a number.
bytes := to_number(annotation(bytes_key)) if regex.match(`^(0|[1-9][0-9]{0,17})$`, annotation(bytes_key))

within_size(size) if {
	size > 0
	size <= max_bytes
}

# --- age ------------------------------------------------------------------------------------

violation contains message.denial(
	"model-created-unreadable",
	workload.place(input.review),
	sprintf("%s is %s", [field(created_key), json.marshal(annotation(created_key))]),
	time_text,
	mend(created_key),
) if {
	annotation(created_key) != ""
	not age.readable(annotation(created_key))
}

violation contains message.denial(
	"model-old",
	workload.place(input.review),
	sprintf("its model was made at %s, more than %v days ago", [annotation(created_key), max_days]),
	time_text,
	"train and pack a model of today and roll that out, or raise maxAgeDays of this constraint",
) if {
	not controlled
	age.older(annotation(created_key), time.now_ns(), max_days)
}

violation contains message.denial(
	"model-future",
	workload.place(input.review),
	sprintf("its model was made at %s, which is yet to come", [annotation(created_key)]),
	time_text,
	"set the clocks of the nodes and of the machine that packs models, then pack again",
) if {
	not controlled
	age.ahead(annotation(created_key), time.now_ns(), max_skew)
}

# Age is asked of what an operator rolls out, not of what a controller makes of it later: a
# model that has grown old must not keep a pod from coming back on another node.
controlled if {
	some owner in workload.object_get(input.review.object, ["metadata", "ownerReferences"], [])
	owner.controller == true
}
