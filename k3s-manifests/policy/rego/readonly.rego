# A root filesystem that cannot be written.
package endcap.readonly

import data.lib.message
import data.lib.workload
import future.keywords.contains
import future.keywords.if
import future.keywords.in

pod := workload.pod(input.review, input.parameters)

violation contains message.denial(
	"writable-root",
	container.place,
	"securityContext.readOnlyRootFilesystem is not true",
	"true",
	sprintf("set %sspec.%s[%d].securityContext.readOnlyRootFilesystem to true, and mount a volume where it has to write", [
		workload.prefix(input.review),
		container.list,
		container.index,
	]),
) if {
	some container in workload.containers(input.review, pod)
	not container.spec.securityContext.readOnlyRootFilesystem == true
}
