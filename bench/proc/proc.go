// Package proc reads what the kernel knows about a process and the machine: CPU
// time, memory, bytes read from disk, and the description of the machine. It also
// does what measurements need of the kernel: write everything to the disk, make the
// page cache forget it, and start a process on one core.
//
// It reads /proc, so it works only on Linux; elsewhere its functions return errors.
package proc

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// ticksPerSecond is the unit of the CPU times in /proc/PID/stat, 100 on every
// system that Go runs on.
const ticksPerSecond = 100

// CPUSeconds returns the CPU time that a process has used, in its own code and in
// the kernel, in steps of 10 ms.
func CPUSeconds(pid int) (float64, error) {
	text, err := os.ReadFile(file(pid, "stat"))
	if err != nil {
		return 0, fmt.Errorf("read cpu time: %w", err)
	}
	_, rest, found := strings.Cut(string(text[strings.LastIndexByte(string(text), ')')+1:]), " ")
	fields := strings.Fields(rest)
	if !found || len(fields) < 13 {
		return 0, errors.New("read cpu time: stat has too few fields")
	}
	var ticks float64
	for _, field := range fields[11:13] { // user and system time, fields 14 and 15 of proc(5)
		n, err := strconv.ParseFloat(field, 64)
		if err != nil {
			return 0, fmt.Errorf("read cpu time: %w", err)
		}
		ticks += n
	}
	return ticks / ticksPerSecond, nil
}

// Memory is the resident memory of a process in megabytes of 2^20 bytes.
type Memory struct {
	Resident, Peak float64
}

// MemoryOf returns the memory of a process: now, and at its peak since the start or
// the last ResetPeak.
func MemoryOf(pid int) (Memory, error) {
	resident, err := field(pid, "status", "VmRSS")
	if err != nil {
		return Memory{}, err
	}
	peak, err := field(pid, "status", "VmHWM")
	return Memory{Resident: resident / 1024, Peak: peak / 1024}, err
}

// ResetPeak makes the peak of MemoryOf begin again.
func ResetPeak(pid int) error {
	if err := os.WriteFile(file(pid, "clear_refs"), []byte("5"), 0o600); err != nil {
		return fmt.Errorf("reset peak memory: %w", err)
	}
	return nil
}

// DiskReadMB returns how many megabytes of 10^6 bytes were read for a process from
// the disk, not from the page cache.
func DiskReadMB(pid int) (float64, error) {
	n, err := field(pid, "io", "read_bytes")
	return n / 1e6, err
}

// field returns the number behind "key:" in a file of /proc/PID.
func field(pid int, name, key string) (float64, error) {
	text, err := os.ReadFile(file(pid, name))
	if err != nil {
		return 0, fmt.Errorf("read %s: %w", key, err)
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, key+":"); ok {
			n, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			if err != nil {
				return 0, fmt.Errorf("read %s: %w", key, err)
			}
			return n, nil
		}
	}
	return 0, fmt.Errorf("read %s: no such line in %s", key, name)
}

func file(pid int, name string) string {
	return filepath.Join("/proc", strconv.Itoa(pid), name)
}
