//go:build !linux && !darwin

package wire

// physicalMemory is not known here.
func physicalMemory() int64 { return 0 }
