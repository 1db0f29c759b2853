package delivery

// fifo is a queue in one slice. When the slice is full but more than half of it is
// free at the front, push moves the elements to the front instead of growing.
type fifo[T any] struct {
	buf  []T
	head int // index of the first element
}

func (q *fifo[T]) len() int { return len(q.buf) - q.head }

// all are the elements, first to last. The slice is valid until the next push or
// drop.
func (q *fifo[T]) all() []T { return q.buf[q.head:] }

func (q *fifo[T]) push(v T) {
	if len(q.buf) == cap(q.buf) && q.head > len(q.buf)/2 {
		n := copy(q.buf, q.buf[q.head:])
		clear(q.buf[n:])
		q.buf, q.head = q.buf[:n], 0
	}
	q.buf = append(q.buf, v)
}

// drop removes the first n elements.
func (q *fifo[T]) drop(n int) {
	clear(q.buf[q.head : q.head+n])
	q.head += n
	if q.head == len(q.buf) {
		q.buf, q.head = q.buf[:0], 0
	}
}
