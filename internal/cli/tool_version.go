package cli

import "runtime/debug"

// Version is the release of Apache Kafka whose tools these are; --version prints it.
const Version = "4.2.0"

// buildVersion is the module's version that the Go tool wrote into the binary.
func buildVersion() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}
