# Only the wasmedge RuntimeClass, except for images that are listed as native programs.
package endcap.runtime

import data.lib.image
import data.lib.message
import data.lib.workload
import future.keywords.contains
import future.keywords.every
import future.keywords.if
import future.keywords.in

pod := workload.pod(input.review, input.parameters)

class := workload.object_get(pod, ["spec", "runtimeClassName"], "")

violation contains message.denial(
	"runtime-class",
	workload.place(input.review),
	wrong,
	sprintf("runtimeClassName %s; another one, or none, only for pods whose every image is of %s", [
		message.listed(classes),
		message.listed(native_images),
	]),
	sprintf("set %sspec.runtimeClassName to %s; a native program of your own has to be listed in nativeImages of this constraint", [
		workload.prefix(input.review),
		message.listed(classes),
	]),
) if {
	pod
	not class in classes
	not native
}

wrong := "no runtimeClassName is set" if class == ""

wrong := sprintf("runtimeClassName is %q", [class]) if class != ""

classes := workload.object_get(input.parameters, ["runtimeClasses"], [])

native_images := workload.object_get(input.parameters, ["nativeImages"], [])

# By image, not by label: a label is anyone's to set.
native if {
	containers := workload.containers(input.review, pod)
	count(containers) > 0
	every container in containers { image.within(workload.object_get(container.spec, ["image"], ""), native_images) }
}

# Annotations reach crun, where they choose how the container is run.
violation contains message.denial(
	"runtime-annotation",
	workload.place(input.review),
	sprintf("annotation %s is %q", [key, value]),
	message.listed([sprintf("%s: %s", [k, v]) | some k, v in allowed_annotations]),
	sprintf("take it out of %smetadata.annotations, or give it the allowed value", [workload.prefix(input.review)]),
) if {
	some key, value in workload.annotations(pod)
	some start in ["run.oci.", "module.wasm.image/"]
	startswith(key, start)
	not allowed_annotations[key] == value
}

allowed_annotations := workload.object_get(input.parameters, ["annotations"], {})
