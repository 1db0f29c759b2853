package cli

import (
	"regexp"
	"strconv"
	"time"
)

var durationPattern = regexp.MustCompile(`^([-+]?)P(?:([-+]?\d+)D)?(T(?:([-+]?\d+)H)?(?:([-+]?\d+)M)?(?:([-+]?\d+(?:[.,]\d{0,9})?)S)?)?$`)

// isoDuration reads an ISO-8601 duration as java.time.Duration does: days, hours, minutes and seconds, each with a sign.
func isoDuration(text string) (time.Duration, error) {
	m := durationPattern.FindStringSubmatch(text)
	if m == nil || m[2] == "" && m[4] == "" && m[5] == "" && m[6] == "" || m[3] == "T" {
		return 0, throw("java.time.format.DateTimeParseException", "Text cannot be parsed to a Duration")
	}
	var total time.Duration
	for i, unit := range map[int]time.Duration{2: 24 * time.Hour, 4: time.Hour, 5: time.Minute} {
		if m[i] == "" {
			continue
		}
		n, err := strconv.ParseInt(m[i], 10, 64)
		if err != nil {
			return 0, throw("java.time.format.DateTimeParseException", "Text cannot be parsed to a Duration")
		}
		total += time.Duration(n) * unit
	}
	if m[6] != "" {
		n, err := strconv.ParseFloat(m[6], 64)
		if err != nil {
			return 0, throw("java.time.format.DateTimeParseException", "Text cannot be parsed to a Duration")
		}
		total += time.Duration(n * float64(time.Second))
	}
	if m[1] == "-" {
		return -total, nil
	}
	return total, nil
}
