// Package wire is connections: it speaks frames and headers of the Kafka
// protocol, and knows no topic.
//
// A [Server] accepts connections on listeners. Each connection has two
// goroutines. The reader takes a frame, decodes it through kmsg and hands a
// [Request] to the [Handler], which begins to work on it and returns; it may
// answer at once or later, from any goroutine. The writer sends the answers in
// the order of the requests (KIP-219 apart, the protocol promises that order). So
// requests of one connection begin in order, may finish in any, and are answered
// in order.
//
// The reader stops reading while a connection has more unanswered work than its
// budget: bytes of requests and answers, or a number of requests. A frame that
// makes no sense costs its own connection and one line in the log.
//
// What a Request refers to, its Body included, lives in a buffer that is used
// again once the request is answered: who keeps a string or slice longer must
// copy it.
package wire
