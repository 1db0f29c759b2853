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
// budget: bytes of requests and answers, or a number of requests. It waits, too,
// while all connections together hold too much memory: budget.go has the rules,
// and why nobody can wait for ever.
//
// A client can make only its own connection suffer. A frame that makes no sense,
// one that begins and does not arrive, and answers that are not taken close it.
// What lasts, such as a flood of these, makes two lines in the log: one when it
// begins, one when it is over (episode.go).
//
// What a Request refers to, its Body included, lives in a buffer that is used
// again once the request is answered: who keeps a string or slice longer must
// copy it.
package wire
