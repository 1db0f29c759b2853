//go:build !unix

package wire

import "errors"

const socketsAreFiles = false

var errWouldBlock = errors.New("would block")

// writeNow is never called: on this system there is no raw connection.
func writeNow(uintptr, []byte) (int, error) { return 0, errors.ErrUnsupported }
