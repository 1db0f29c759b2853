//go:build !linux

package crash_test

import "testing"

// disk is a disk that can be harmed; this system has none.
type disk struct{ dir string }

func newDisk(t *testing.T) *disk {
	t.Helper()
	t.Skip(diskReason())
	return nil
}

func diskReason() string { return "needs Linux, root and loop devices" }

func processFaults() []fault {
	return []fault{{name: "SIGSTOP", reason: "needs Linux"}, {name: "no open files", reason: "needs Linux"}}
}

func diskFaults() (out []fault) {
	for _, name := range []string{"full disk", "read-only disk", "failing disk", "power cut"} {
		out = append(out, fault{name: name, disk: true, reason: diskReason()})
	}
	return out
}
