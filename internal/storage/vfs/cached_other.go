//go:build !linux

package vfs

import "os"

// readCached always refuses: here nobody knows what the system has in memory.
func readCached(*os.File, []byte, int64) (int, error) { return 0, ErrWouldWait }
