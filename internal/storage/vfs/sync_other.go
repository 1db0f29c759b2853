//go:build !linux

package vfs

import (
	"errors"
	"os"
)

func syncData(f *os.File) error { return f.Sync() }

func openVolume(string) (Volume, error) { return nil, errors.ErrUnsupported }

func preallocate(*os.File, int64, int64) error { return errors.ErrUnsupported }

// AdviseSequential does nothing here.
func AdviseSequential(*os.File) {}
