//go:build !linux

package proc

import "errors"

// Sync is for Linux.
func Sync(string) error { return errors.ErrUnsupported }

// Evict is for Linux.
func Evict(string) error { return errors.ErrUnsupported }

// RaiseFileLimit is for Linux.
func RaiseFileLimit() (uint64, error) { return 0, errors.ErrUnsupported }
