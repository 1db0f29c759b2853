package javaregex

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const matchesNothing = "\x00"

// TestJavaRegex has, for each expression, a name that Pattern.matcher(...).matches() of Java 17 accepts, and one that it does
// not accept.
func TestJavaRegex(t *testing.T) {
	for _, c := range []struct {
		expr, matches, not string
	}{
		{`^(?!__).*`, "orders", "__consumer_offsets"},
		{`(?!__).*`, "orders", "__consumer_offsets"},
		{`orders(?=-).*`, "orders-1", "orders1"},
		{`.*(?<!-retry)`, "orders", "orders-retry"},
		{`.*(?<!-retry|-dlt)$`, "orders", "orders-dlt"},
		{`\p{Alpha}+`, "orders", "orders1"},
		{`\p{Lower}\p{Digit}*`, "o12", "O12"},
		{`[\p{Alnum}_]+`, "orders_1", "orders-1"},
		{`\P{Upper}+`, "orders", "Orders"},
		{`[\P{Upper}]+`, "orders", "Orders"},
		{`\pL\PL`, "a1", "1a"},
		{`\p{IsLatin}+`, "ordersé", "한"},
		{`\p{javaLetter}+`, "한", "1"},
		{`(?i)\p{Lower}`, "A", "1"},
		{`a++b`, "aab", "aa"},
		{`a*+a`, matchesNothing, "aaa"},
		{`(?:ab)?+ab`, "abab", "ab"},
		{`(?:a|ab)++c`, "ac", "abc"},
		{`x{1,3}+x`, "xxxx", "xxx"},
		{`()++b`, "b", "a"},
		{`(a|b)\1`, "aa", "ab"},
		{`(?i)(a)\1`, "aA", "ab"},
		{`(a)\11`, "aa1", "aa"},
		{`(?<n>a|b)\k<n>`, "bb", "ba"},
		{`x\1`, matchesNothing, "x"},
		{`a|b(?!c)`, "a", "ab"},

		{`[\w]+[a-z]`, "abc", "ab1"},
		{`[\w\-]+\.[a-z]+`, "ab-c.de", "ab-c"},
		{`[\d]x[\d]`, "1x2", "axb"},
		{`[\]][a]`, "]a", "a"},
		{`\[[a-z]+\]`, "[a]", "a"},
		{`[\[a]+`, "[a", "b"},
		{`[]a]+`, "]a", "b"},
		{`[^]a]`, "b", "]"},
		{`[a-]+`, "-a", "b"},
		{`[\w-z]+`, "a-", "."},
		{`[a-c&&[^b]]+`, "ac", "b"},
		{`[a-z&&[^x-z]]+(?!q)`, "ab", "x"},
		{`[a-c&&b-d]`, "b", "d"},
		{`[a[bc]d]+`, "abcd", "["},
		{`[^a[bc]]`, "d", "b"},
		{`[a&b]+`, "&", "c"},
		{`[a&&[b]]`, matchesNothing, "a"},
		{`[a&&[b]&c]+`, "a&c", "b"},
		{`[한&&[b]&c]+`, "&c", "한"},
		{`[^\w]&&`, "-&&", "a&&"},
		{`[\v-a]`, "\v", "b"},

		{`\Qa.b\E(?!c).*`, "a.bd", "axbd"},
		{`(?!x)\Qab\E+`, "abb", "abab"},
		{`\Qab\E++`, "abb", "abab"},
		{`[\Q.-\E]+`, ".-", "("},
		{`[\Q.]\E]+(?!x)`, ".]", "("},
		{`a\Q`, "a", "b"},
		{`\x{61}\Q1\E{2}`, "a11", "a1"},
		{`(a)\1\Q1\E`, "aa1", "aa"},

		{`(?=a)\w+`, "ab", "aé"},
		{`(?=.)\d`, "1", "१"},
		{`(?=.)\s`, "\v", "\u00a0"},
		{`\s`, "\v", "\u00a0"},
		{`\v`, "\u2028", " "},
		{`\h`, "\u00a0", "\n"},
		{`.`, "\v", "\u2028"},
		{`(?s).`, "\n", ""},
		{`\R`, "\r\n", " "},
		{`.*\b-`, "é-", "--"},
		{`.*\B-`, "--", "a-"},
		{`(?i)k`, "K", "\u212a"},
		{`(?iu)k`, "\u212a", "x"},
		{`(?i)[é]`, "é", "É"},
		{`(?U)\w+`, "é", "-"},
		{`(?x) a b # c`, "ab", "a b # c"},
		{`(?x)[a b]+\ `, "ab ", "a b"},
		{`a(?i)b`, "aB", "AB"},
		{`(a(?i)b)c`, "aBc", "aBC"},
		{`(?s-i:a)b`, "ab", "Ab"},

		{`\0141`, "a", "1"},
		{`\07`, "\a", "7"},
		{`\cA`, "\x01", "A"},
		{`\e\x61\u0062\x{63}`, "\x1babc", "abc"},
		{`\uD83D\uDE00`, "😀", "\ufffd"},
		{`[\uD83D\n]`, "\n", "n"},
		{`\_\-\é`, "_-é", "_-"},
		{`[{]\{\Q{\Ea{2,}}`, "{{{aaa}", "{{{a}"},
		{`a{2}{3}`, "aa", "aaaaaa"},
		{`a{1001}`, strings.Repeat("a", 1001), strings.Repeat("a", 1000)},
		{`^*a$?`, "a", "^a"},
		{`]}`, "]}", "]"},
	} {
		re, err := Compile(c.expr)
		require.NoError(t, err, c.expr)
		if c.matches != matchesNothing {
			require.True(t, re.MatchString(c.matches), "%s %s", c.expr, c.matches)
		}
		require.False(t, re.MatchString(c.not), "%s %s", c.expr, c.not)
	}
}

// TestJavaRegexRefuses has the expressions that Java 17 refuses, with its error texts, and those that only bote refuses.
func TestJavaRegexRefuses(t *testing.T) {
	t.Parallel()
	for expr, text := range map[string]string{
		`(`:               "Unclosed group",
		`a)`:              "Unmatched closing ')'",
		`a)|(b(?!c)`:      "Unmatched closing ')'",
		`a)|(?:b`:         "Unmatched closing ')'",
		`(?!`:             "Unclosed group",
		`[`:               "Unclosed character class",
		`[]`:              "Unclosed character class",
		`[z-a]`:           "Illegal character range",
		`[a-\w]`:          "Illegal character range",
		`[&&&&a]`:         "Bad class syntax",
		`*`:               "Dangling meta character '*'",
		`a**`:             "Dangling meta character '*'",
		`a|+`:             "Dangling meta character '+'",
		`a{`:              `Illegal repetition: a { that begins no quantifier must be written as \{`,
		`{`:               `Illegal repetition: a { that begins no quantifier must be written as \{`,
		`a{,3}`:           `Illegal repetition: a { that begins no quantifier must be written as \{`,
		`a{x}(?!y)`:       `Illegal repetition: a { that begins no quantifier must be written as \{`,
		`a{1`:             "Unclosed counted closure",
		`a{2,1}`:          "Illegal repetition range",
		`a{99999999999}`:  "Illegal repetition range",
		`(?P<n>a)`:        "Unknown inline modifier",
		`(?#a)`:           "Unknown inline modifier",
		`(?`:              "Unknown inline modifier",
		`(?<a_>a)`:        "named capturing group is missing trailing '>'",
		`(?<1>a)`:         "capturing group name does not start with a Latin letter",
		`(?<n>a)(?<n>b)`:  "Named capturing group <n> is already defined",
		`\k<n>(?<n>a)`:    "named capturing group <n> does not exist",
		`\y`:              "Illegal/unsupported escape sequence",
		`a\Eb`:            "Illegal/unsupported escape sequence",
		`[\b]`:            "Illegal/unsupported escape sequence",
		`\x6`:             "Illegal hexadecimal escape sequence",
		`\x{61`:           "Unclosed hexadecimal escape sequence",
		`\x{110000}`:      "Hexadecimal codepoint is too big",
		`\u{61}`:          "Illegal Unicode escape sequence",
		`\0`:              "Illegal octal escape sequence",
		`\p{alpha}`:       "Unknown character property name {alpha}",
		`\p{Greek}`:       "Unknown character property name {Greek}",
		`\pX`:             "Unknown character property name {X}",
		`(?<=(?:a|b)+)c`:  "Look-behind group does not have an obvious maximum length",
		`(a)(?<=\1)b`:     "Look-behind group does not have an obvious maximum length",
		`\`:               "Unexpected internal error",
		`\Ga`:             `\G is not supported`,
		`\X`:              `\X is not supported`,
		`(?<=a++)b`:       "a possessive quantifier or an atomic group is not supported in a lookbehind",
		`\N{DIGIT ONE}\w`: `\N{...} is not supported; write the character itself`,
	} {
		_, err := Compile(expr)
		require.EqualError(t, err, text, expr)
	}
}

// TestJavaRegexIsLinear: only expressions that need backtracking use it. franz-go can match all others itself, and then a
// consumer sees new topics sooner.
func TestJavaRegexIsLinear(t *testing.T) {
	t.Parallel()
	for _, expr := range []string{`.*`, `orders-\d+`, `^orders.*$`, `(?i)(?<n>a|b)[\w.]*?`, `[a-z&&[^x]]+`, `\Qa.b\E\p{Alpha}`} {
		re, err := Compile(expr)
		require.NoError(t, err)
		require.NotNil(t, re.linear, expr)
	}
}

// TestJavaRegexSplits has the results of java.util.regex.Pattern.split of Java 17.
func TestJavaRegexSplits(t *testing.T) {
	for _, c := range []struct {
		expr, text string
		want       []string
	}{
		{`,`, "a,b", []string{"a", "b"}},
		{`,`, ",a,,", []string{"", "a"}},
		{`,`, ",,", nil},
		{`,`, "", []string{""}},
		{`,`, "a", []string{"a"}},
		{`[;&]`, "é;한&c", []string{"é", "한", "c"}},
		{`;|\b\B`, "\xff\xfe;é\xff", []string{"\xff\xfe", "é\xff"}},
		{`\s++`, "a \tb", []string{"a", "b"}},
		{`(?=b)`, "abab", []string{"a", "ba", "b"}},
		{`,*`, "a,b", []string{"a", "", "b"}},
		{``, "ab", []string{"a", "b"}},
		{`$`, "ab", []string{"ab"}},
		{`^a`, "aab", []string{"", "ab"}},
	} {
		re, err := CompileSeparator(c.expr)
		require.NoError(t, err, c.expr)
		require.Equal(t, c.want, normalized(re.Split(c.text)), "%s %s", c.expr, c.text)
	}
}

// normalized turns an empty list into nil.
func normalized(list []string) []string {
	if len(list) == 0 {
		return nil
	}
	return list
}

// TestJavaRegexIsBounded: an expression must not be able to hang a tool.
func TestJavaRegexIsBounded(t *testing.T) {
	re, err := Compile(`(?!x)(a+)+b`)
	require.NoError(t, err)
	require.False(t, re.MatchString(strings.Repeat("a", 60)))
}
