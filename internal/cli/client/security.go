package client

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/oauth"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"github.com/botehq/bote/internal/cli/exception"
)

// SecurityOptions turns security.protocol and the sasl.* and ssl.* settings of a client into options of kgo.
func SecurityOptions(c *Settings) ([]kgo.Opt, error) {
	protocol := c.choice("security.protocol", "PLAINTEXT", false, "PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
	if c.err != nil {
		return nil, c.err
	}
	var opts []kgo.Opt
	if strings.HasSuffix(protocol, "SSL") {
		conf, err := tlsConfig(c)
		if err != nil {
			return nil, err
		}
		opts = append(opts, kgo.DialTLSConfig(conf))
	}
	if strings.HasPrefix(protocol, "SASL") {
		mechanism, err := saslMechanism(c)
		if err != nil {
			return nil, err
		}
		opts = append(opts, kgo.SASL(mechanism))
	}
	return opts, nil
}

// jaasOption finds name="value" in a JAAS line.
var jaasOption = regexp.MustCompile(`(\w+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|'([^']*)'|([^\s;]+))`)

func jaas(line string) map[string]string {
	found := map[string]string{}
	for _, m := range jaasOption.FindAllStringSubmatch(line, -1) {
		found[m[1]] = strings.NewReplacer(`\"`, `"`, `\\`, `\`).Replace(m[2]) + m[3] + m[4]
	}
	return found
}

func saslMechanism(c *Settings) (sasl.Mechanism, error) {
	name := c.Get("sasl.mechanism", "GSSAPI")
	login := jaas(c.Get("sasl.jaas.config", ""))
	if c.Get("sasl.jaas.config", "") == "" {
		return nil, exception.New(exception.IllegalArgument, "Could not find a 'KafkaClient' entry in the JAAS configuration. System property 'java.security.auth.login.config' is not set")
	}
	switch name {
	case "PLAIN":
		return plain.Auth{User: login["username"], Pass: login["password"]}.AsMechanism(), nil
	case "SCRAM-SHA-256":
		return scram.Auth{User: login["username"], Pass: login["password"]}.AsSha256Mechanism(), nil
	case "SCRAM-SHA-512":
		return scram.Auth{User: login["username"], Pass: login["password"]}.AsSha512Mechanism(), nil
	case "OAUTHBEARER":
		if token := login["token"]; token != "" {
			return oauth.Auth{Token: token}.AsMechanism(), nil
		}
	}
	return nil, exception.New(exception.Config, "Invalid value %s for configuration sasl.mechanism: only PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 and OAUTHBEARER with a token are supported", name)
}

func tlsConfig(c *Settings) (*tls.Config, error) {
	conf := &tls.Config{MinVersion: tls.VersionTLS12}
	trusted, err := pemOf(c, "ssl.truststore.certificates", "ssl.truststore.location", "ssl.truststore.type")
	if err != nil {
		return nil, err
	}
	if len(trusted) > 0 {
		conf.RootCAs = x509.NewCertPool()
		if !conf.RootCAs.AppendCertsFromPEM(trusted) {
			return nil, exception.New(exception.Config, "Invalid value %s for configuration ssl.truststore.location: no certificate in it", c.Get("ssl.truststore.location", ""))
		}
	}
	if c.Get("ssl.endpoint.identification.algorithm", "https") == "" {
		skipHostName(conf)
	}
	chain, err := pemOf(c, "ssl.keystore.certificate.chain", "ssl.keystore.location", "ssl.keystore.type")
	if err != nil || len(chain) == 0 {
		return conf, err
	}
	key := []byte(c.Get("ssl.keystore.key", string(chain)))
	pair, err := tls.X509KeyPair(chain, key)
	if err != nil {
		return nil, &exception.Error{Class: exception.Config, Text: "Failed to load the key store: " + err.Error(), Cause: err}
	}
	conf.Certificates = []tls.Certificate{pair}
	return conf, nil
}

// pemOf returns PEM text from a setting or from a file. It refuses Java's own store formats, which must be converted first.
func pemOf(c *Settings, inline, location, format string) ([]byte, error) {
	if v := c.Get(inline, ""); v != "" {
		return []byte(v), nil
	}
	file := c.Get(location, "")
	if file == "" {
		return nil, nil
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, &exception.Error{Class: exception.Config, Text: fmt.Sprintf("Failed to load %s: %v", file, err), Cause: err}
	}
	if !strings.Contains(string(data), "-----BEGIN") {
		return nil, exception.New(exception.Config, "Invalid value %s for configuration %s: only PEM files can be read; convert the store with keytool and openssl, then set %s=PEM", file, location, format)
	}
	return data, nil
}

// skipHostName has the client check the chain of the certificate but not the host name. An empty
// ssl.endpoint.identification.algorithm demands that.
func skipHostName(conf *tls.Config) {
	conf.InsecureSkipVerify = true
	conf.VerifyConnection = func(state tls.ConnectionState) error {
		options := x509.VerifyOptions{Roots: conf.RootCAs, Intermediates: x509.NewCertPool()}
		for _, c := range state.PeerCertificates[1:] {
			options.Intermediates.AddCert(c)
		}
		if _, err := state.PeerCertificates[0].Verify(options); err != nil {
			return fmt.Errorf("verify the broker's certificate: %w", err)
		}
		return nil
	}
}

// AuthenticationError returns the exception for a refused login, and nil for any other error.
func AuthenticationError(err error) *exception.Error {
	for _, code := range []*kerr.Error{kerr.SaslAuthenticationFailed, kerr.UnsupportedSaslMechanism, kerr.IllegalSaslState} {
		if !errors.Is(err, code) {
			continue
		}
		if x, ok := errors.AsType[*exception.Error](exception.FromBroker(code.Code, nil)); ok {
			if _, detail, ok := strings.Cut(err.Error(), code.Message+": "); ok && detail != code.Description {
				x.Text = detail
			}
			return x
		}
	}
	if e, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return &exception.Error{Class: exception.CommonErrors + "SslAuthenticationException", Text: "SSL handshake failed: " + e.Error(), Cause: err}
	}
	return nil
}
