package api

import (
	"net/mail"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/botehq/bote/examples/notify/internal/text"
)

const (
	maxSubject = 998       // characters, the longest line of a mail
	maxBody    = 256 << 10 // bytes
	maxAddress = 320       // bytes
)

// address is a member that must be one mail address, with or without a name.
func (b *body) address(name string) string {
	s := b.text(name)
	if s == "" {
		return s
	}
	if _, err := mail.ParseAddress(s); err != nil || !oneLine(s) || len(s) > maxAddress {
		b.reject(name, text.Text{EN: "must be one mail address, such as name@example.com", KO: "name@example.com 같은 메일 주소 하나여야 합니다"})
	}
	return s
}

// subject is a member that goes into the header of a mail.
func (b *body) subject(name string) string {
	s := b.text(name)
	if s != "" && !oneLine(s) {
		b.reject(name, text.Text{EN: "must be one line without control characters", KO: "제어 문자가 없는 한 줄이어야 합니다"})
	}
	if utf8.RuneCountInString(s) > maxSubject {
		b.reject(name, text.Text{EN: "must have at most 998 characters", KO: "998자 이하여야 합니다"})
	}
	return s
}

// content is a member that is the text of a message.
func (b *body) content(name string) string {
	s := b.text(name)
	if len(s) > maxBody {
		b.reject(name, text.Text{EN: "must have at most 256 KiB", KO: "256 KiB 이하여야 합니다"})
	}
	return s
}

// phone is a member that must be a phone number, in E.164.
func (b *body) phone(name string) string {
	s := b.text(name)
	if s == "" {
		return s
	}
	n, ok := normalizePhone(s)
	if !ok {
		b.reject(name, text.Text{EN: "must be a phone number, such as +821012345678 or 010-1234-5678", KO: "+821012345678 또는 010-1234-5678 같은 전화번호여야 합니다"})
	}
	return n
}

// oneLine reports whether s has no control characters, so that it may be in a header.
func oneLine(s string) bool { return !strings.ContainsFunc(s, unicode.IsControl) }

var (
	separators = strings.NewReplacer(" ", "", "-", "", ".", "", "(", "", ")", "")
	e164       = regexp.MustCompile(`^\+[1-9][0-9]{6,14}$`)
	// korean are the national forms: 02 for Seoul, 031 to 064 for the other areas,
	// 01x for mobile phones, 050x, 070 and 080 for services.
	korean = regexp.MustCompile(`^0(2[0-9]{7,8}|[3-6][1-5][0-9]{7,8}|1[016-9][0-9]{7,8}|50[0-9]{9}|70[0-9]{8}|80[0-9]{7,8})$`)
	// representative are the numbers of companies, without an area: 1588-1234.
	representative = regexp.MustCompile(`^1[568][0-9]{6}$`)
)

// normalizePhone writes a phone number as E.164: a plus, the country code, the rest.
// A number without a country code is Korean.
func normalizePhone(s string) (string, bool) {
	s = separators.Replace(s)
	switch {
	case strings.HasPrefix(s, "+820"): // the zero is only for calls within the country
		s = "+82" + s[4:]
		return s, e164.MatchString(s)
	case e164.MatchString(s):
		return s, true
	case korean.MatchString(s):
		return "+82" + s[1:], true
	case representative.MatchString(s):
		return "+82" + s, true
	default:
		return s, false
	}
}
