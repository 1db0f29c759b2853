package proc

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
)

// Machine describes the machine of a measurement.
type Machine struct {
	System     string  `json:"system"`
	Cores      int     `json:"cores"`
	Processor  string  `json:"processor"`
	MemoryGB   float64 `json:"memory_gb"`
	Kernel     string  `json:"kernel"`
	FileSystem string  `json:"file_system"`
	Load       float64 `json:"load"` // average of the last minute, that is, of the time before the measurement
}

// Describe returns the machine, with the file system of a directory. What cannot be
// found out is left empty.
func Describe(dir string) Machine {
	m := Machine{System: runtime.GOOS + "/" + runtime.GOARCH, Cores: runtime.NumCPU(), FileSystem: fileSystem(dir)}
	m.Processor = lineOf("/proc/cpuinfo", "model name")
	if kb, err := strconv.ParseFloat(strings.TrimSuffix(lineOf("/proc/meminfo", "MemTotal"), " kB"), 64); err == nil {
		m.MemoryGB = kb / (1 << 20)
	}
	if text, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		m.Kernel = strings.TrimSpace(string(text))
	}
	if text, err := os.ReadFile("/proc/loadavg"); err == nil {
		m.Load, _ = strconv.ParseFloat(strings.Fields(string(text))[0], 64) // zero if it is no number
	}
	return m
}

// String returns one sentence about the machine.
func (m Machine) String() string {
	return fmt.Sprintf("%d cores (%s), %.0f GB of memory, %s, kernel %s, data on %s, load average %.1f before the start", m.Cores, m.Processor, m.MemoryGB, m.System, m.Kernel, m.FileSystem, m.Load)
}

// lineOf returns what follows "key :" in the first such line of a file.
func lineOf(path, key string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == key {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// fileSystem returns the type of a directory's file system: that of the longest
// mount point above it.
func fileSystem(dir string) string {
	text, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return ""
	}
	var kind string
	longest := -1
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) < 3 {
			continue
		}
		point := strings.TrimSuffix(fields[1], "/")
		if (dir == point || strings.HasPrefix(dir, point+"/")) && len(point) >= longest {
			kind, longest = fields[2], len(point)
		}
	}
	return kind
}
