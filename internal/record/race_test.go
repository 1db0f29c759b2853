//go:build race

package record_test

// checkAllocates is how often a check may allocate: with the race detector, pools
// lose some of what is put into them.
const checkAllocates = 100
