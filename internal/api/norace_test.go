//go:build !race

package api

const roomTwice = 1
