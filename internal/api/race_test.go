//go:build race

package api

// roomTwice is how often the decoder allocates an array: with the race detector, the
// compiler does not see that once is enough.
const roomTwice = 2
