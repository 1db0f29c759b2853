//go:build !unix

package wire

import "errors"

const socketsAreFiles = false

var errWouldBlock = errors.New("would block")

// writeNow is not reached: there is no raw connection here.
func writeNow(uintptr, []byte) (int, error) { return 0, errors.ErrUnsupported }
