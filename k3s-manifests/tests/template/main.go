// Renders a containerd template as K3s 1.30 does: the text with K3s's own as "base", over what K3s found on the node.
// The base here has the tables of K3s's that ours could collide with.
//
//	go run . TEMPLATE [RUNTIME=BINARY]...
package main

import (
	"log"
	"os"
	"strings"
	"text/template"
)

const base = `version = 2
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
  SystemdCgroup = {{ .SystemdCgroup }}
{{range $k, $v := .ExtraRuntimes}}
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes."{{$k}}"]
  runtime_type = "{{$v.RuntimeType}}"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes."{{$k}}".options]
  BinaryName = "{{$v.BinaryName}}"
{{end}}
`

type runtimeConfig struct{ RuntimeType, BinaryName string }

func main() {
	log.SetFlags(0)
	text, err := os.ReadFile(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	node := struct {
		SystemdCgroup bool
		ExtraRuntimes map[string]runtimeConfig
	}{true, map[string]runtimeConfig{}}
	for _, found := range os.Args[2:] {
		name, binary, _ := strings.Cut(found, "=")
		node.ExtraRuntimes[name] = runtimeConfig{"io.containerd.runc.v2", binary}
	}
	parsed := template.Must(template.New("config").Parse(string(text)))
	template.Must(parsed.New("base").Parse(base))
	if err := parsed.Execute(os.Stdout, node); err != nil {
		log.Fatal(err)
	}
}
