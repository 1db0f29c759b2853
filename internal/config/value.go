package config

import (
	"math"
	"strconv"
	"strings"
)

// Validate refuses values that do not fit the type or are not valid, with Kafka's texts (ConfigDef.parseType and its
// validators).
func (k *Key) Validate(value string) error {
	_, err := k.parse(value)
	return err
}

// Canonical returns a value as DescribeConfigs shows it: without blanks around it, numbers and booleans in their normal
// form, lists joined by commas, without duplicates where the key forbids them.
func (k *Key) Canonical(value string) (string, error) {
	v, err := k.parse(value)
	if err != nil {
		return "", err
	}
	return v.String(), nil
}

// parsed is a value of one of the types; only the fields of its type are set.
type parsed struct {
	typ  Type
	text string
	num  int64
	real float64
	yes  bool
	list []string
}

// String does what Kafka's ConfigDef.convertToString does.
func (p parsed) String() string {
	switch p.typ {
	case Int, Short, Long:
		return strconv.FormatInt(p.num, 10)
	case Double:
		return FormatDouble(p.real, 64)
	case Boolean:
		return strconv.FormatBool(p.yes)
	case List:
		return strings.Join(p.list, ",")
	case Unknown, String, Class, Password:
	}
	return p.text
}

func (k *Key) parse(value string) (parsed, error) {
	p := parsed{typ: k.Type, text: strings.TrimSpace(value)}
	var err error
	switch k.Type {
	case Boolean:
		switch {
		case strings.EqualFold(p.text, "true"):
			p.yes = true
		case strings.EqualFold(p.text, "false"):
		default:
			return p, refuseValue(k.Name, value, "Expected value to be either true or false")
		}
	case Int:
		p.num, err = strconv.ParseInt(p.text, 10, 32)
	case Short:
		p.num, err = strconv.ParseInt(p.text, 10, 16)
	case Long:
		p.num, err = strconv.ParseInt(p.text, 10, 64)
	case Double:
		p.real, err = strconv.ParseFloat(p.text, 64)
	case List:
		p.list = splitList(p.text)
		if k.check.dedupe {
			p.list = dedupe(p.list)
		}
	case Password, Unknown, String, Class:
	}
	if err != nil {
		return p, refuseValue(k.Name, value, "Not a number of type %s", k.Type)
	}
	if k.check.run != nil {
		if err := k.check.run(k.Name, p); err != nil {
			return p, err
		}
	}
	return p, nil
}

// splitList splits at commas and removes the blanks around items. The empty text is the empty list.
func splitList(s string) []string {
	if s == "" {
		return nil
	}
	list := strings.Split(s, ",")
	for i := range list {
		list[i] = strings.TrimSpace(list[i])
	}
	return list
}

func dedupe(list []string) []string {
	seen := make(map[string]bool, len(list))
	kept := list[:0:0]
	for _, s := range list {
		if !seen[s] {
			seen[s] = true
			kept = append(kept, s)
		}
	}
	return kept
}

// FormatDouble formats a number of 32 or 64 bits as Java does (Double.toString): at least one digit after the point,
// and an exponent below 1e-3 and from 1e7 on.
func FormatDouble(f float64, bits int) string {
	switch {
	case math.IsNaN(f):
		return "NaN"
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	case f == 0, math.Abs(f) >= 1e-3 && math.Abs(f) < 1e7:
		s := strconv.FormatFloat(f, 'f', -1, bits)
		if !strings.Contains(s, ".") {
			s += ".0"
		}
		return s
	}
	mantissa, exponent, _ := strings.Cut(strconv.FormatFloat(f, 'e', -1, bits), "e")
	if !strings.Contains(mantissa, ".") {
		mantissa += ".0"
	}
	n, err := strconv.Atoi(exponent)
	if err != nil {
		return mantissa + "E" + exponent
	}
	return mantissa + "E" + strconv.Itoa(n)
}
