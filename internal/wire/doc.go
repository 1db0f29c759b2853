// Package wire owns connections: it speaks frames and headers of the Kafka protocol
// and knows nothing of topics.
//
// A [Server] accepts connections on listeners. The reader of a connection reads a
// frame, decodes it with kmsg and hands a [Request] to the [Handler]. The handler
// begins to work on the request and returns; it may answer at once or later, from any
// goroutine. Answers are sent in the order of the requests, as the protocol promises.
// So requests of one connection begin in order, finish in any order, and are answered
// in order.
//
// The goroutine that completes an answer sends it, if the answer is small and comes
// alone; else a writer does, which lives only while there is something to send
// (answer.go). A connection that is idle has one goroutine with a small stack, and no
// buffer (idle.go).
//
// The reader stops reading while its connection has more unanswered work than its
// budget allows: a number of bytes of requests and answers, or a number of requests.
// It also waits while all connections together hold too much memory; budget.go has
// the rules, and says why no connection can wait for ever.
//
// A client can harm only its own connection. The server closes a connection for a
// malformed frame, for a frame that begins and does not arrive, and for answers that
// the client does not read. A lasting condition, such as a flood of malformed frames,
// makes two lines in the log: one when it begins, one when it is over (episode.go).
//
// A Request, including its Body, refers to a buffer that is reused once the request
// is answered. Code that keeps a string or slice longer must copy it.
package wire
