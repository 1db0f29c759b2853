package server

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// userProcesses lists the command lines of the user's processes. It leaves out processes that end meanwhile.
func userProcesses() ([]process, error) {
	dirs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return nil, err //nolint:wrapcheck // a constant pattern
	}
	var list []process
	for _, dir := range dirs {
		info, err := os.Stat(dir)
		if err != nil {
			continue
		}
		if owner, ok := info.Sys().(*syscall.Stat_t); !ok || int(owner.Uid) != os.Getuid() {
			continue
		}
		raw, err := os.ReadFile(filepath.Join(dir, "cmdline"))
		pid, numErr := strconv.Atoi(filepath.Base(dir))
		if err != nil || numErr != nil || len(raw) == 0 {
			continue
		}
		list = append(list, process{pid: pid, args: strings.Split(strings.TrimSuffix(string(raw), "\x00"), "\x00")})
	}
	return list, nil
}
