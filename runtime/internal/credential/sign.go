package credential

import (
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // old services want it
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"hash"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mcpc-dev/mcpc/runtime/internal/secret"
	"github.com/mcpc-dev/mcpc/runtime/plan"
)

// Signer authenticates a request that is complete, by header fields that depend
// on it. It may change the header, not its values.
type Signer func(r *http.Request, body []byte, now time.Time)

// HMAC signs requests with a shared key, as the plan says.
func HMAC(p *plan.HMAC, key string) Signer {
	sum := map[string]func() hash.Hash{"sha1": sha1.New, "sha512": sha512.New}[p.Algorithm]
	if sum == nil {
		sum = sha256.New
	}
	return func(r *http.Request, body []byte, now time.Time) {
		stamp := strconv.FormatInt(now.Unix(), 10)
		if p.Timestamp != "" {
			r.Header.Set(p.Timestamp, stamp)
		}
		parts := make([]string, len(p.Sign))
		for i, name := range p.Sign {
			switch name {
			case "timestamp":
				parts[i] = stamp
			case "method":
				parts[i] = r.Method
			case "host":
				parts[i] = r.URL.Host
			case "path":
				parts[i] = r.URL.EscapedPath()
			case "query":
				parts[i] = r.URL.RawQuery
			case "body":
				parts[i] = string(body)
			}
		}
		m := hmac.New(sum, []byte(key))
		m.Write([]byte(strings.Join(parts, p.Separator))) // never fails
		mac := m.Sum(nil)
		text := hex.EncodeToString(mac)
		if p.Encoding == "base64" {
			text = base64.StdEncoding.EncodeToString(mac)
		}
		r.Header.Set(p.Header, p.Prefix+text)
	}
}

// AWSKeys are the credentials of an AWS principal.
type AWSKeys struct {
	Access  string
	Secret  secret.Text
	Session secret.Text // of temporary ones; zero mostly
}

// AWS signs requests by Signature Version 4
// (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html).
func AWS(p *plan.AWS, keys AWSKeys) Signer {
	return func(r *http.Request, body []byte, now time.Time) {
		stamp := now.UTC().Format("20060102T150405Z")
		r.Header.Set("X-Amz-Date", stamp)
		if !keys.Session.IsZero() {
			r.Header.Set("X-Amz-Security-Token", keys.Session.Reveal())
		}
		content := sha256Hex(string(body))
		if p.Service == "s3" {
			r.Header.Set("X-Amz-Content-Sha256", content)
		}
		names, canonical := awsHeaders(r)
		request := strings.Join([]string{r.Method, awsPath(r.URL, p.Service), awsQuery(r.URL.RawQuery), canonical, names, content}, "\n")
		scope := stamp[:8] + "/" + p.Region + "/" + p.Service + "/aws4_request"
		text := "AWS4-HMAC-SHA256\n" + stamp + "\n" + scope + "\n" + sha256Hex(request)
		key := []byte("AWS4" + keys.Secret.Reveal())
		for part := range strings.SplitSeq(scope, "/") {
			key = hmac256(key, part)
		}
		r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+keys.Access+"/"+scope+", SignedHeaders="+names+", Signature="+hex.EncodeToString(hmac256(key, text)))
	}
}

func hmac256(key []byte, text string) []byte {
	m := hmac.New(sha256.New, key)
	m.Write([]byte(text)) // never fails
	return m.Sum(nil)
}

func sha256Hex(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

// awsHeaders are the fields that are signed, and what is signed of them: those
// that nothing on the way changes.
func awsHeaders(r *http.Request) (names, canonical string) {
	values := map[string]string{"host": r.Host}
	if r.Host == "" {
		values["host"] = r.URL.Host
	}
	list := []string{"host"}
	for name, v := range r.Header {
		name = strings.ToLower(name)
		if name != "content-type" && !strings.HasPrefix(name, "x-amz-") {
			continue
		}
		list = append(list, name)
		var all []string
		for _, one := range v {
			all = append(all, strings.Join(strings.Fields(one), " "))
		}
		values[name] = strings.Join(all, ",")
	}
	slices.Sort(list)
	var b strings.Builder
	for _, name := range list {
		b.WriteString(name + ":" + values[name] + "\n")
	}
	return strings.Join(list, ";"), b.String()
}

// awsPath is the path as it is signed: encoded once more than it is sent, but
// for S3.
func awsPath(u *url.URL, service string) string {
	p := u.EscapedPath()
	if p == "" {
		return "/"
	}
	if service == "s3" {
		return p
	}
	parts := strings.Split(p, "/")
	for i, part := range parts {
		parts[i] = awsEscape(part)
	}
	return strings.Join(parts, "/")
}

// awsQuery is the query in order, and encoded in one way.
func awsQuery(raw string) string {
	var pairs [][2]string
	for part := range strings.SplitSeq(raw, "&") {
		if part == "" {
			continue
		}
		name, value, _ := strings.Cut(part, "=")
		pairs = append(pairs, [2]string{awsEscape(unescape(name)), awsEscape(unescape(value))})
	}
	slices.SortFunc(pairs, func(a, b [2]string) int {
		if c := strings.Compare(a[0], b[0]); c != 0 {
			return c
		}
		return strings.Compare(a[1], b[1])
	})
	out := make([]string, len(pairs))
	for i, p := range pairs {
		out[i] = p[0] + "=" + p[1]
	}
	return strings.Join(out, "&")
}

func unescape(s string) string {
	if u, err := url.QueryUnescape(s); err == nil {
		return u
	}
	return s
}

// awsEscape encodes all but the unreserved characters of RFC 3986.
func awsEscape(s string) string {
	return strings.NewReplacer("+", "%20", "%7E", "~").Replace(url.QueryEscape(s))
}
