package coordinator

import (
	"math"
	"unicode/utf16"
)

// Partition returns which of the n partitions of the internal topic keeps the state of
// key: Java's String.hashCode, over UTF-16 units, made positive as in Kafka's Utils.abs,
// modulo n.
func Partition(key string, n int32) int32 {
	var h int32
	for _, r := range key {
		if utf16.RuneLen(r) == 2 {
			hi, lo := utf16.EncodeRune(r)
			h = 31*(31*h+hi) + lo
			continue
		}
		h = 31*h + r
	}
	if h == math.MinInt32 {
		return 0
	}
	return max(h, -h) % n
}
