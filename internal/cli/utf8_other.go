//go:build !windows

package cli

import "io"

// prepareConsole has nothing to do where terminals speak UTF-8.
func prepareConsole(io.Writer, io.Writer) {}
