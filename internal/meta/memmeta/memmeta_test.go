package memmeta_test

import (
	"testing"

	"github.com/botehq/bote/internal/meta"
	"github.com/botehq/bote/internal/meta/memmeta"
	"github.com/botehq/bote/internal/meta/metatest"
)

func TestSuite(t *testing.T) {
	metatest.Run(t, func(*testing.T) meta.Store { return memmeta.New() })
}
