package tool

import (
	"math/big"
	"regexp"
	"time"

	"github.com/botehq/bote/internal/cli/exception"
)

var durationPattern = regexp.MustCompile(`(?i)^([-+]?)P(?:([-+]?\d+)D)?(T(?:([-+]?\d+)H)?(?:([-+]?\d+)M)?(?:([-+]?\d+)(?:[.,](\d{0,9}))?S)?)?$`)

// ParseISODuration reads an ISO-8601 duration as java.time.Duration does: days, hours, minutes and seconds, each with an
// optional sign, in upper or lower case. It refuses a duration that does not fit a time.Duration, about 292 years: no record is
// that old.
func ParseISODuration(text string) (time.Duration, error) {
	m := durationPattern.FindStringSubmatch(text)
	if m == nil || m[2] == "" && m[4] == "" && m[5] == "" && m[6] == "" || m[3] == "T" || m[3] == "t" {
		return 0, exception.New("java.time.format.DateTimeParseException", "Text cannot be parsed to a Duration")
	}
	total := new(big.Int)
	for i, unit := range map[int]time.Duration{2: 24 * time.Hour, 4: time.Hour, 5: time.Minute, 6: time.Second} {
		if m[i] != "" {
			n, _ := new(big.Int).SetString(m[i], 10) // cannot fail: the pattern matches digits only
			total.Add(total, n.Mul(n, big.NewInt(int64(unit))))
		}
	}
	if m[7] != "" {
		nanos, _ := new(big.Int).SetString((m[7] + "000000000")[:9], 10) // cannot fail either
		if m[6][0] == '-' {
			nanos.Neg(nanos)
		}
		total.Add(total, nanos)
	}
	if m[1] == "-" {
		total.Neg(total)
	}
	if !total.IsInt64() {
		return 0, exception.New("java.lang.ArithmeticException", "long overflow")
	}
	return time.Duration(total.Int64()), nil
}
