package credential

import (
	"crypto/md5" //nolint:gosec // what old services understand
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"hash"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/mcpc-dev/mcpc/runtime/internal/secret"
)

// Digest answers challenges of HTTP digest authentication (RFC 7616). It
// remembers the last challenge of a host, so that only the first request is sent
// twice. It is safe for concurrent use.
type Digest struct {
	mu        sync.Mutex
	challenge challenge
	uses      int // of the nonce
	random    func() string
}

// challenge is one that can be answered.
type challenge struct {
	host                            string
	realm, nonce, opaque, algorithm string
	qop                             string // quality of protection, "auth" or "auth-int"; "" is that of RFC 2069
}

// NewDigest returns a Digest that knows no challenge yet.
func NewDigest() *Digest { return &Digest{random: rand.Text} }

// digests are the algorithms, the better first.
var digests = []struct {
	name string
	sum  func() hash.Hash
}{{"SHA-512-256", sha512.New512_256}, {"SHA-256", sha256.New}, {"MD5", md5.New}}

// Login answers challenges in one call.
type Login struct {
	*Digest
	User     string
	Password secret.Text

	sent string // the nonce that was answered last; "" when none was
}

// Sign is a [Signer]: it answers the challenge of the host, if one is known.
func (l *Login) Sign(r *http.Request, body []byte, _ time.Time) {
	l.mu.Lock()
	c := l.challenge
	known := c.nonce != "" && c.host == r.URL.Host
	if known {
		l.uses++
	}
	uses := l.uses
	l.mu.Unlock()
	l.sent = ""
	if known {
		l.sent = c.nonce
		r.Header.Set("Authorization", c.answer(l.User, l.Password.Reveal(), r.Method, r.URL.RequestURI(), body, uses, l.random()))
	}
}

// Take remembers the challenge of a 401 to a request that was signed, and tells
// whether sending the request again can help: not when the answer to a challenge
// was refused, which means that the password is wrong.
func (l *Login) Take(host string, h http.Header) bool {
	c, stale, ok := read401(h)
	if !ok {
		return false
	}
	c.host = host
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.sent != "" && !stale {
		return false
	}
	if known := l.challenge; known.host != host || known.nonce == "" || known.nonce == l.sent {
		l.challenge, l.uses = c, 0
	}
	return true
}

func (c challenge) answer(user, password, method, uri string, body []byte, uses int, cnonce string) string {
	base, sess := strings.CutSuffix(c.algorithm, "-SESS")
	i := slices.IndexFunc(digests, func(a struct {
		name string
		sum  func() hash.Hash
	}) bool {
		return a.name == base
	})
	sum := func(parts ...string) string {
		h := digests[i].sum()
		h.Write([]byte(strings.Join(parts, ":"))) // never fails
		return hex.EncodeToString(h.Sum(nil))
	}
	a1 := sum(user, c.realm, password)
	if sess {
		a1 = sum(a1, c.nonce, cnonce)
	}
	count := fmt.Sprintf("%08x", uses)
	a2 := sum(method, uri)
	if c.qop == "auth-int" {
		a2 = sum(method, uri, sum(string(body)))
	}
	response := sum(a1, c.nonce, a2)
	if c.qop != "" {
		response = sum(a1, c.nonce, count, cnonce, c.qop, a2)
	}
	algorithm := base
	if sess {
		algorithm += "-sess"
	}
	out := "Digest username=" + quote(user) + ", realm=" + quote(c.realm) + ", uri=" + quote(uri) + ", algorithm=" + algorithm + ", nonce=" + quote(c.nonce)
	if c.qop != "" {
		out += ", nc=" + count + ", cnonce=" + quote(cnonce) + ", qop=" + c.qop
	}
	out += ", response=" + quote(response)
	if c.opaque != "" {
		out += ", opaque=" + quote(c.opaque)
	}
	return out
}

func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

// read401 chooses the best of the challenges that can be answered.
func read401(h http.Header) (best challenge, stale, ok bool) {
	rank := len(digests)
	for _, line := range h.Values("WWW-Authenticate") {
		for _, p := range challenges(line) {
			algorithm := strings.ToUpper(p["algorithm"])
			if algorithm == "" {
				algorithm = "MD5"
			}
			base := strings.TrimSuffix(algorithm, "-SESS")
			qop, usable := protection(p["qop"])
			for i, d := range digests {
				if d.name == base && i < rank && usable && p["nonce"] != "" {
					rank, ok = i, true
					stale = strings.EqualFold(p["stale"], "true")
					best = challenge{realm: p["realm"], nonce: p["nonce"], opaque: p["opaque"], algorithm: algorithm, qop: qop}
				}
			}
		}
	}
	return best, stale, ok
}

// protection chooses of the qualities that a service offers: "auth" before
// "auth-int", which covers the body too and which few services get right.
func protection(offered string) (qop string, usable bool) {
	if offered == "" {
		return "", true
	}
	for q := range strings.SplitSeq(offered, ",") {
		switch q = strings.ToLower(strings.TrimSpace(q)); q {
		case "auth":
			return q, true
		case "auth-int":
			qop = q
		}
	}
	return qop, qop != ""
}

// challenges are the parameters of the digest challenges of one field, which may
// hold several of all kinds (RFC 9110, section 11.6.1).
func challenges(s string) (list []map[string]string) {
	var now map[string]string // nil: of another scheme
	for s = strings.TrimLeft(s, " \t,"); s != ""; s = strings.TrimLeft(s, " \t,") {
		n := strings.IndexAny(s, " \t,=")
		if n < 0 {
			n = len(s)
		}
		word, rest := s[:n], strings.TrimLeft(s[n:], " \t")
		if n == 0 {
			s = s[1:] // a stray sign
			continue
		}
		if !strings.HasPrefix(rest, "=") {
			if now, s = nil, rest; strings.EqualFold(word, "digest") {
				now = map[string]string{}
				list = append(list, now)
			}
			continue
		}
		var value string
		value, s = parameter(strings.TrimLeft(rest[1:], " \t"))
		if now != nil {
			now[strings.ToLower(word)] = value
		}
	}
	return list
}

// parameter reads a token or a quoted string.
func parameter(s string) (value, rest string) {
	if !strings.HasPrefix(s, `"`) {
		if n := strings.IndexAny(s, " \t,"); n >= 0 {
			return s[:n], s[n:]
		}
		return s, ""
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '"':
			return b.String(), s[i+1:]
		case s[i] == '\\' && i+1 < len(s):
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String(), ""
}
