//go:build tools

// Package addons names the programs that a cluster has beside Kubernetes' own, so that go.mod keeps what they need. They
// are built as they are.
package addons

import (
	_ "k8s.io/kube-state-metrics/v2"
	_ "sigs.k8s.io/metrics-server/cmd/metrics-server"
	_ "sigs.k8s.io/prometheus-adapter/cmd/adapter"
)
