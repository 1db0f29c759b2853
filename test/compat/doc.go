// Package compat runs clients and tools of other projects, as their users install
// them, against the bote program. It also runs them against Apache Kafka, to see
// that the checks ask for nothing that Kafka does not do.
//
// It owns the pinned versions (the install scripts and manifests in the folders
// beside this file) and one small program for each client, which is also the record
// of what that client is promised. It does not test the protocol byte by byte:
// test/conformance does.
//
// The tests do nothing unless BOTE_COMPAT is 1; README.md has the other switches.
package compat
