package delivery

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

// TestMain also is the child process of the crash test.
func TestMain(m *testing.M) {
	if os.Getenv(crashEnv) != "" {
		crashChild()
		return
	}
	goleak.VerifyTestMain(m)
}
