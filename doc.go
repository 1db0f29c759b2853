// Package bote is the broker of an asynchronous messaging system. It speaks Apache
// Kafka's protocol and can be embedded in a program.
//
//	b, err := bote.Open(ctx, bote.Config{DataDir: "data", Listen: "127.0.0.1:9092"})
//	if err != nil {
//		return err
//	}
//	defer b.Close()
//	return b.Serve(ctx)
//
// Every Kafka client can connect to [Broker.Addr]. Open recovers the data and binds
// the addresses; Serve answers clients until its context ends; Close makes everything
// durable and stops what Open started. Package botetest starts a broker for a test.
package bote
