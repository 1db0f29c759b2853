package tool

import "runtime/debug"

// KafkaVersion is the release of Apache Kafka whose tools these are; --version prints it.
const KafkaVersion = "4.2.0"

// BuildVersion is the module's version that the Go tool wrote into the binary.
func BuildVersion() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}
