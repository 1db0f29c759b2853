//go:build !race

package record_test

const checkAllocates = 2
