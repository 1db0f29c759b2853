// Package ops answers operators and their machines over HTTP:
//
//	/metrics       what Prometheus reads
//	/livez         the process is alive (also /healthz)
//	/readyz        clients can be served; ?verbose lists the checks
//	/debug/pprof/  profiles, on loopback addresses only
//
// [Handler] answers with these pages; [Server] serves them on an address of their
// own. The package knows no broker: metrics come from a Prometheus gatherer,
// readiness from [Check]s. It measures nothing itself, and does not log requests for
// these pages.
package ops
