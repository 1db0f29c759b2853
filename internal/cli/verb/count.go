package verb

import "fmt"

// Count is a number and a noun in the singular or the plural: "1 record", "2 records".
func Count[N int | int64](n N, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
