package format

import (
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"fmt"
	"hash"
	"strconv"
	"strings"

	"github.com/botehq/bote/internal/cli/exception"
)

// scramUser is a user of --add-scram, with the keys of RFC 5802.
type scramUser struct {
	name       string
	mechanism  int8 // 1 is SCRAM-SHA-256, 2 is SCRAM-SHA-512; reaches disk
	salt       []byte
	storedKey  []byte
	serverKey  []byte
	iterations int
}

const (
	leastIterations = 4096
	mostIterations  = 16384
	saltBytes       = 32
)

// parseScram reads SCRAM-SHA-256=[name=alice,password=secret,...].
func parseScram(spec string) (scramUser, error) {
	mechanism, rest, ok := strings.Cut(spec, "=")
	if !ok {
		return scramUser{}, exception.New(exception.Terse, "Failed to find equals sign in SCRAM argument '%s'", spec)
	}
	u := scramUser{mechanism: 1}
	newHash := sha256.New
	switch mechanism {
	case "SCRAM-SHA-256":
	case "SCRAM-SHA-512":
		u.mechanism, newHash = 2, sha512.New
	default:
		return u, exception.New(exception.Terse, "The add-scram mechanism %s is not supported.", mechanism)
	}
	fields, err := scramFields(rest)
	if err != nil {
		return u, err
	}
	return u, u.derive(newHash, fields)
}

// scramFields reads [key=value,...]; values may be in quotes.
func scramFields(text string) (map[string]string, error) {
	text = strings.TrimSpace(text)
	inner, ok := strings.CutPrefix(text, "[")
	if !ok {
		return nil, exception.New(exception.Terse, "Expected configuration string to start with [")
	}
	if inner, ok = strings.CutSuffix(inner, "]"); !ok {
		return nil, exception.New(exception.Terse, "Expected configuration string to end with ]")
	}
	fields := map[string]string{}
	for part := range strings.SplitSeq(inner, ",") {
		if strings.TrimSpace(part) == "" {
			continue
		}
		key, value, ok := strings.Cut(strings.TrimSpace(part), "=")
		if !ok {
			return nil, exception.New(exception.Terse, "Failed to find equals sign in SCRAM configuration")
		}
		switch key {
		case "name", "password", "salt", "saltedpassword", "iterations":
		default:
			return nil, exception.New(exception.Terse, "Unknown SCRAM configurations: %s", key)
		}
		if len(value) > 1 && value[0] == '"' && value[len(value)-1] == '"' {
			value = value[1 : len(value)-1]
		}
		fields[key] = value
	}
	return fields, nil
}

// derive computes the keys from the password, or from the salted password if that is given.
func (u *scramUser) derive(newHash func() hash.Hash, fields map[string]string) (err error) {
	u.name = fields["name"]
	password, salted := fields["password"], fields["saltedpassword"]
	switch {
	case u.name == "":
		return exception.New(exception.Terse, "You must supply 'name' to add-scram")
	case password == "" && salted == "":
		return exception.New(exception.Terse, "You must supply one of 'password' or 'saltedpassword' to add-scram")
	case salted != "" && fields["salt"] == "":
		return exception.New(exception.Terse, "You must supply 'salt' with 'saltedpassword' to add-scram")
	case password != "" && salted != "":
		return exception.New(exception.Terse, "You must only supply one of 'password' or 'saltedpassword' to add-scram")
	}
	u.iterations = leastIterations
	if text, ok := fields["iterations"]; ok {
		if u.iterations, err = strconv.Atoi(text); err != nil {
			return exception.New("java.lang.NumberFormatException", "For input string: %q", text)
		}
	}
	if u.iterations < leastIterations {
		return exception.New(exception.Terse, "The 'iterations' value must be >= %d for add-scram using %s", leastIterations, u.mechanismName())
	}
	if u.iterations > mostIterations {
		return exception.New(exception.Terse, "The 'iterations' value must be <= %d for add-scram using %s", mostIterations, u.mechanismName())
	}
	u.salt = make([]byte, saltBytes)
	_, _ = rand.Read(u.salt) // never fails
	if text := fields["salt"]; text != "" {
		if u.salt, err = base64.StdEncoding.DecodeString(text); err != nil {
			return exception.New(exception.Terse, "Failed to decode given salt: %s", text)
		}
	}
	var secret []byte
	if salted != "" {
		if secret, err = base64.StdEncoding.DecodeString(salted); err != nil {
			return exception.New(exception.Terse, "Failed to decode given saltedPassword: %s", salted)
		}
	} else if secret, err = pbkdf2.Key(newHash, password, u.salt, u.iterations, newHash().Size()); err != nil {
		return fmt.Errorf("derive the keys of %s: %w", u.name, err)
	}
	stored := newHash()
	stored.Write(keyed(newHash, secret, "Client Key"))
	u.storedKey, u.serverKey = stored.Sum(nil), keyed(newHash, secret, "Server Key")
	return nil
}

func (u *scramUser) mechanismName() string {
	if u.mechanism == 2 {
		return "SCRAM-SHA-512"
	}
	return "SCRAM-SHA-256"
}

func keyed(newHash func() hash.Hash, key []byte, text string) []byte {
	m := hmac.New(newHash, key)
	m.Write([]byte(text))
	return m.Sum(nil)
}
