package upstream

import (
	"errors"
	"strings"

	tokens "github.com/mcpc-dev/mcpc/runtime/internal/credential"
	sealed "github.com/mcpc-dev/mcpc/runtime/internal/secret"
)

// addSigner adds a credential that depends on what is sent.
func (k *call) addSigner(a *auth, c *credential) error {
	// A key may be binary, or hold line ends: it is not sent.
	key, err := plain(c.secret, &k.env)
	if err != nil {
		return err
	}
	var user, session string
	if c.user != nil {
		if user, err = text(c.user, &k.env); err != nil {
			return err
		}
	}
	if c.session != nil {
		// Keys that are not temporary have none.
		if session, err = text(c.session, &k.env); err != nil && !errors.Is(err, errMissing) {
			return err
		}
	}
	from := "credential " + c.Name
	if c.from != "" {
		from += " (" + c.from + ")"
	}
	shown := item{from: from, where: "header", name: "Authorization", value: sealed.New(hidden)}
	var signer tokens.Signer
	switch c.Kind {
	case "awsSigV4":
		signer, shown.prefix = tokens.AWS(c.AWS, tokens.AWSKeys{Access: user, Secret: sealed.New(key), Session: sealed.New(session)}), "AWS4-HMAC-SHA256 "
	case "hmac":
		signer, shown.name, shown.prefix = tokens.HMAC(c.HMAC, key), c.HMAC.Header, c.HMAC.Prefix
	case "digest":
		if strings.Contains(user, ":") {
			return errors.New("its user name holds a colon")
		}
		a.login = &tokens.Login{Digest: c.digest, User: user, Password: sealed.New(key)}
		signer, shown.prefix = a.login.Sign, "Digest "
	}
	a.names = append(a.names, c.Name)
	a.know(key)
	a.know(session)
	if k.dry {
		a.items = append(a.items, shown)
		return nil
	}
	a.signers = append(a.signers, signer)
	return nil
}
