package config

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// ParseProperties reads a Java properties file: key=value, key: value or key value; comments that begin with # or !;
// lines that a trailing backslash joins; the escapes \t \n \r \f and \uXXXX. If a key occurs twice, the later line
// wins. Text is read as UTF-8; a line that is not valid UTF-8 is read as ISO-8859-1, as in Java. Blanks at the end of
// values stay.
func ParseProperties(r io.Reader) (map[string]string, error) {
	values := map[string]string{}
	scan := bufio.NewScanner(r)
	scan.Buffer(nil, 1<<20)
	scan.Split(splitLines)
	for scan.Scan() {
		line := trimBlank(latin(scan.Bytes()))
		if line == "" || line[0] == '#' || line[0] == '!' {
			continue
		}
		for continued(line) {
			line = line[:len(line)-1]
			if !scan.Scan() {
				break
			}
			line += trimBlank(latin(scan.Bytes()))
		}
		key, value := cutProperty(line)
		k, err := unescape(key)
		if err != nil {
			return nil, fmt.Errorf("read property %q: %w", key, err)
		}
		v, err := unescape(value)
		if err != nil {
			return nil, fmt.Errorf("read value of property %q: %w", k, err)
		}
		values[k] = v
	}
	if err := scan.Err(); err != nil {
		return nil, fmt.Errorf("read properties: %w", err)
	}
	return values, nil
}

// splitLines splits at \n, \r\n and \r.
func splitLines(data []byte, atEOF bool) (advance int, token []byte, err error) {
	for i, c := range data {
		switch {
		case c == '\n':
			return i + 1, data[:i], nil
		case c == '\r' && i+1 < len(data) && data[i+1] == '\n':
			return i + 2, data[:i], nil
		case c == '\r' && (i+1 < len(data) || atEOF):
			return i + 1, data[:i], nil
		}
	}
	if atEOF && len(data) > 0 {
		return len(data), data, nil
	}
	return 0, nil, nil
}

func latin(line []byte) string {
	if utf8.Valid(line) {
		return string(line)
	}
	var b strings.Builder
	for _, c := range line {
		b.WriteRune(rune(c))
	}
	return b.String()
}

func trimBlank(s string) string { return strings.TrimLeft(s, " \t\f") }

// continued reports whether a line ends with an odd number of backslashes.
func continued(line string) bool {
	return (len(line)-len(strings.TrimRight(line, `\`)))%2 == 1
}

func cutProperty(line string) (key, value string) {
	end := len(line)
	for i := 0; i < len(line); i++ {
		if line[i] == '\\' {
			i++
			continue
		}
		if strings.IndexByte("=: \t\f", line[i]) >= 0 {
			end = i
			break
		}
	}
	key, rest := line[:end], trimBlank(line[end:])
	if rest != "" && (rest[0] == '=' || rest[0] == ':') {
		rest = trimBlank(rest[1:])
	}
	return key, rest
}

func unescape(s string) (string, error) {
	if !strings.Contains(s, `\`) {
		return s, nil
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			if s[i] != '\\' {
				b.WriteByte(s[i])
			}
			continue
		}
		i++
		switch s[i] {
		case 't':
			b.WriteByte('\t')
		case 'n':
			b.WriteByte('\n')
		case 'r':
			b.WriteByte('\r')
		case 'f':
			b.WriteByte('\f')
		case 'u':
			r, err := unicodeEscape(s, i+1)
			if err != nil {
				return "", err
			}
			i += 4
			if low, err := unicodeEscape(s, i+3); err == nil && utf16.IsSurrogate(r) && strings.HasPrefix(s[i+1:], `\u`) {
				r = utf16.DecodeRune(r, low)
				i += 6
			}
			b.WriteRune(r)
		default:
			b.WriteByte(s[i])
		}
	}
	return b.String(), nil
}

func unicodeEscape(s string, at int) (rune, error) {
	if at+4 > len(s) {
		return 0, fmt.Errorf("malformed \\uxxxx encoding")
	}
	n, err := strconv.ParseUint(s[at:at+4], 16, 16)
	if err != nil {
		return 0, fmt.Errorf("malformed \\uxxxx encoding")
	}
	return rune(n), nil
}
