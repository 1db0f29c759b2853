package text_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/botehq/bote/examples/notify/internal/text"
)

func TestAccepted(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]text.Lang{
		"":                        text.Korean,
		"*":                       text.Korean,
		"fr-FR, de;q=0.5":         text.Korean,
		"en-US,en;q=0.9":          text.English,
		"ko-KR,ko;q=0.9,en;q=0.8": text.Korean,
		"ko;q=0.4, en;q=0.6":      text.English,
		"en;q=0, ko;q=0.1":        text.Korean,
		"en;q=zero, fr":           text.Korean,
	} {
		require.Equal(t, want, text.Accepted(header, text.Korean), "header %q", header)
	}
}

func TestEnvironment(t *testing.T) {
	t.Parallel()
	env := func(vars map[string]string) func(string) string {
		return func(name string) string { return vars[name] }
	}
	require.Equal(t, text.English, text.Environment(env(nil)))
	require.Equal(t, text.Korean, text.Environment(env(map[string]string{"LANG": "ko_KR.UTF-8"})))
	require.Equal(t, text.English, text.Environment(env(map[string]string{"LANG": "ko_KR.UTF-8", "BOTE_LANG": "en"})))
	require.Equal(t, text.English, text.Environment(env(map[string]string{"LC_ALL": "C", "LANG": "ko_KR.UTF-8"})))
}
