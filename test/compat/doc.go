// Package compat runs clients and tools of other projects, as their users install
// them, against the bote program, and against Apache Kafka to see that the checks
// ask nothing that Kafka does not do.
//
// It owns the versions that are pinned (the install scripts and manifests in the
// folders beside this file) and one small program for each client, which is also
// the record of what that client is promised. It does not test the protocol byte by
// byte: that is test/conformance.
//
// The tests do nothing unless BOTE_COMPAT is 1; README.md has the other switches.
package compat
