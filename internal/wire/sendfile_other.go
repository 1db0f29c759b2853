//go:build !linux

package wire

import (
	"errors"
	"net"
)

func sendFile(uintptr, *net.Buffers, *Part) (int64, error) { return 0, errors.ErrUnsupported }
