package cli

import (
	"testing"

	"github.com/dlclark/regexp2"
	"go.uber.org/goleak"
)

// allTests are followed by the end of regexp2's clock, which would go on for a while.
type allTests struct{ *testing.M }

// Run implements goleak.TestingM.
func (a allTests) Run() int {
	defer regexp2.StopTimeoutClock()
	return a.M.Run()
}

func TestMain(m *testing.M) { goleak.VerifyTestMain(allTests{m}) }
