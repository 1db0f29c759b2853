package cli

import (
	"io"

	"golang.org/x/sys/windows"

	"github.com/botehq/bote/internal/cli/tool"
)

// utf8CodePage is the number of UTF-8 among Windows' code pages.
const utf8CodePage = 65001

// prepareConsole switches a console to UTF-8, so that it shows text in any language. If the stream is not a console, the calls
// fail and change nothing.
func prepareConsole(stdout, stderr io.Writer) {
	if !tool.IsTerminal(stdout) && !tool.IsTerminal(stderr) {
		return
	}
	_ = windows.SetConsoleOutputCP(utf8CodePage)
	_ = windows.SetConsoleCP(utf8CodePage)
}
