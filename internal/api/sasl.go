package api

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/botehq/bote/internal/wire"
)

// SaslHandshake, key 17, versions 0-1, and SaslAuthenticate, key 36, versions 0-2
// (KIP-152, KIP-368). All listeners are plaintext, so a client that tries to log in
// gets an error at once: without an answer, Java's clients wait until they time out.

func (b *Broker) saslHandshake(r *wire.Request, _ *kmsg.SASLHandshakeRequest) {
	resp := kmsg.NewPtrSASLHandshakeResponse()
	resp.ErrorCode = kerr.IllegalSaslState.Code
	r.Reply(resp)
}

func (b *Broker) saslAuthenticate(r *wire.Request, _ *kmsg.SASLAuthenticateRequest) {
	resp := kmsg.NewPtrSASLAuthenticateResponse()
	resp.ErrorCode = kerr.IllegalSaslState.Code
	resp.ErrorMessage = new("SaslAuthenticate request received after successful authentication")
	r.Reply(resp)
}
