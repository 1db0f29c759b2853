//go:build !linux

package proc

import (
	"errors"
	"os/exec"
)

// Cores is for Linux.
func Cores() ([]int, error) { return nil, errors.ErrUnsupported }

// StartOn is for Linux.
func StartOn(*exec.Cmd, int) error { return errors.ErrUnsupported }
