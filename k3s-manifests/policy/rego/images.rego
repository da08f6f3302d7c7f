# Images by digest, from allowed registries.
package endcap.images

import data.lib.image
import data.lib.message
import data.lib.workload
import future.keywords.contains
import future.keywords.if
import future.keywords.in

pod := workload.pod(input.review, input.parameters)

violation contains message.denial(
	"image-digest",
	container.place,
	sprintf("image %q is not named by digest", [reference(container)]),
	"REGISTRY/PATH@sha256:DIGEST with 64 hexadecimal digits",
	"kustomize edit set image NAME=REGISTRY/PATH@sha256:DIGEST with the digest that the push printed",
) if {
	some container in workload.containers(input.review, pod)
	not image.by_digest(reference(container))
}

violation contains message.denial(
	"image-registry",
	container.place,
	sprintf("image %q is not from an allowed registry", [reference(container)]),
	sprintf("images of %s", [message.listed(registries)]),
	"push the image to an allowed registry and name that, or list the registry in registries of this constraint",
) if {
	some container in workload.containers(input.review, pod)
	not image.within(reference(container), registries)
}

registries := workload.object_get(input.parameters, ["registries"], [])

reference(container) := workload.object_get(container.spec, ["image"], "")
