//go:build tools

// Package gatekeeper names the program, so that go.mod keeps what it needs. It is built as it is.
package gatekeeper

import _ "github.com/open-policy-agent/gatekeeper/v3"
