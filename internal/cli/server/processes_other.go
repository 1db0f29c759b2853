//go:build !linux && !windows

package server

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
)

// userProcesses lists the command lines of the user's processes, as ps prints them.
func userProcesses() ([]process, error) {
	out, err := exec.CommandContext(context.Background(), "ps", "-U", strconv.Itoa(os.Getuid()), "-o", "pid=,args=").Output()
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	var list []process
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		if len(fields) < 2 {
			continue
		}
		if pid, err := strconv.Atoi(fields[0]); err == nil {
			list = append(list, process{pid: pid, args: fields[1:]})
		}
	}
	return list, nil
}
