package javaregex

import (
	"testing"

	"github.com/botehq/bote/internal/cli/clitest"
)

func TestMain(m *testing.M) { clitest.VerifyNoLeaks(m) }
