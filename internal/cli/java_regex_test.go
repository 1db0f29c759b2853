package cli

import (
	"strings"
	"testing"

	"github.com/dlclark/regexp2"
	"github.com/stretchr/testify/require"
)

// TestJavaRegex has expressions of Java that Go's package does not know, with what
// java.util.regex.Pattern.matcher(...).matches() says.
func TestJavaRegex(t *testing.T) {
	defer regexp2.StopTimeoutClock()
	for _, c := range []struct {
		expr, matches, not string
	}{
		{`^(?!__).*`, "orders", "__consumer_offsets"},
		{`(?!__).*`, "orders", "__consumer_offsets"},
		{`orders(?=-).*`, "orders-1", "orders1"},
		{`.*(?<!-retry)`, "orders", "orders-retry"},
		{`\p{Alpha}+`, "orders", "orders1"},
		{`\p{Lower}\p{Digit}*`, "o12", "O12"},
		{`[\p{Alnum}_]+`, "orders_1", "orders-1"},
		{`\P{Upper}+`, "orders", "Orders"},
		{`a++b`, "aab", "aa"},
		{`a*+a`, "\x00", "aaa"},
		{`(?:ab)?+ab`, "abab", "ab"},
		{`x{1,3}+x`, "xxxx", "xxx"},
		{`(a|b)\1`, "aa", "ab"},
		{`\Qa.b\E(?!c).*`, "a.bd", "axbd"},
		{`a|b(?!c)`, "a", "ab"},
		{`\[[a-z]+\]`, "[a]", "a"},
		{`[a-z]+[0-9]`, "a1", "1"},
		{`[\[a]+`, "[a", "b"},
		{`[{]\{\Q{\Ea{2,}}`, "{{{aaa}", "{{{a}"},
	} {
		re, err := compileJavaRegex(c.expr)
		require.NoError(t, err, c.expr)
		if c.matches != "\x00" {
			require.True(t, re.MatchString(c.matches), "%s %s", c.expr, c.matches)
		}
		require.False(t, re.MatchString(c.not), "%s %s", c.expr, c.not)
	}
	for _, expr := range []string{`(`, `a)`, `[`, `*`, `(?!`, `a)|(b(?!c)`, `a)|(?:b`, `[a-c&&[^b]]+`, `[[:alpha:]]+`, `a{`, `{`, `a{,3}`, `a{x}(?!y)`} {
		_, err := compileJavaRegex(expr)
		require.Error(t, err, expr)
	}
}

// TestJavaRegexIsBounded: an expression must not be able to hang a tool.
func TestJavaRegexIsBounded(t *testing.T) {
	defer regexp2.StopTimeoutClock()
	re, err := compileJavaRegex(`(?!x)(a+)+b`)
	require.NoError(t, err)
	require.False(t, re.MatchString(strings.Repeat("a", 60)))
}
