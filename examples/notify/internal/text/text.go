// Package text chooses between the two languages of the app, English and Korean. It
// owns the choice, not the texts: those are where they are used.
package text

import (
	"strconv"
	"strings"
)

// Lang is a language.
type Lang string

// The languages.
const (
	English Lang = "en"
	Korean  Lang = "ko"
)

// Text is one text in both languages.
type Text struct{ EN, KO string }

// In is the text in a language.
func (t Text) In(l Lang) string {
	if l == Korean {
		return t.KO
	}
	return t.EN
}

// Parse reads the name of a language, such as "ko", "ko-KR" or "ko_KR.UTF-8".
func Parse(s string) (Lang, bool) {
	name, _, _ := strings.Cut(strings.ToLower(strings.TrimSpace(s)), "-")
	name, _, _ = strings.Cut(name, "_")
	switch Lang(name) {
	case English:
		return English, true
	case Korean:
		return Korean, true
	default:
		return "", false
	}
}

// Accepted is the language that an Accept-Language header asks for, or the
// fallback if the header names neither.
func Accepted(header string, fallback Lang) Lang {
	best, weight := fallback, 0.0
	for part := range strings.SplitSeq(header, ",") {
		tag, params, _ := strings.Cut(part, ";")
		l, ok := Parse(tag)
		if q := quality(params); ok && q > weight {
			best, weight = l, q
		}
	}
	return best
}

func quality(params string) float64 {
	value, ok := strings.CutPrefix(strings.TrimSpace(params), "q=")
	if !ok {
		return 1
	}
	q, err := strconv.ParseFloat(value, 64)
	if err != nil {
		return 0
	}
	return q
}

// Environment is the language of a terminal: Korean if BOTE_LANG, or else the
// locale, says so.
func Environment(getenv func(string) string) Lang {
	for _, name := range []string{"BOTE_LANG", "LC_ALL", "LC_MESSAGES", "LANG"} {
		if v := getenv(name); v != "" {
			if l, ok := Parse(v); ok {
				return l
			}
			return English
		}
	}
	return English
}
