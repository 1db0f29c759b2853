//go:build !unix

package wire

// Sockets are not files here: input.raw is nil, and nobody calls these.

func (*input) tryRead(uintptr) (done bool) { return true }

func (*input) tryFirst(uintptr) (done bool) { return true }
