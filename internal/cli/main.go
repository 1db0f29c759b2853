package cli

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/botehq/bote/internal/cli/tool"
)

// Main runs the command that args name and returns its exit code. args[0] is the name the program was called with. If it is
// the name of one of Kafka's tools, with or without a suffix (kafka-topics, kafka-topics.sh, kafka-topics.exe), that tool runs.
// Otherwise args[1] may name a tool. If it does not, the arguments are for bote's own commands. The environment variable
// BOTE_TOOL, which wrappers set, takes precedence over both names. Cancelling the context ends the command as Ctrl-C does.
func Main(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	s := &tool.Streams{In: stdin, Out: stdout, Err: stderr, Getenv: os.Getenv}
	if len(args) == 0 {
		args = []string{"bote"}
	}
	prepareConsole(stdout, stderr)
	code := runNamed(ctx, s, args)
	if code == tool.ExitError && ctx.Err() != nil {
		return tool.Interrupted(ctx)
	}
	return code
}

func runNamed(ctx context.Context, s *tool.Streams, args []string) int {
	if run, ok := toolNamed(s.Getenv("BOTE_TOOL")); ok {
		return run(ctx, s, args[1:])
	}
	if run, ok := toolNamed(filepath.Base(args[0])); ok {
		return run(ctx, s, args[1:])
	}
	if len(args) > 1 {
		if run, ok := toolNamed(args[1]); ok {
			return run(ctx, s, args[2:])
		}
	}
	return runVerbs(ctx, s, args[1:])
}

// toolNamed finds a tool by its name, with or without a wrapper's suffix.
func toolNamed(name string) (tool.Func, bool) {
	name = strings.ToLower(name)
	for _, suffix := range []string{".sh", ".bat", ".cmd", ".exe"} {
		name = strings.TrimSuffix(name, suffix)
	}
	t, ok := tools()[name]
	return t.run, ok
}
