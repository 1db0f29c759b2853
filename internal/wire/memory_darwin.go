package wire

import "golang.org/x/sys/unix"

// physicalMemory returns the memory of the machine.
func physicalMemory() int64 {
	n, err := unix.SysctlUint64("hw.memsize")
	if err != nil {
		return 0
	}
	return int64(n)
}
