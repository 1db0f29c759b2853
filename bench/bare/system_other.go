//go:build !linux

package bare

import (
	"errors"
	"net"
	"os"
)

// syncAll is for Linux.
func syncAll(*os.File) error { return errors.ErrUnsupported }

// preallocate is for Linux.
func preallocate(*os.File, int64, int64) error { return errors.ErrUnsupported }

// sendfile is for Linux.
func sendfile(*net.TCPConn, part) error { return errors.ErrUnsupported }
