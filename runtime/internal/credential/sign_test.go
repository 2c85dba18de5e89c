package credential

import (
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/mcpc-dev/mcpc/runtime/internal/secret"
	"github.com/mcpc-dev/mcpc/runtime/plan"
)

// The signatures are those AWS publishes with its signature test suite and its
// documentation.
func TestAWS(t *testing.T) {
	at := time.Date(2015, 8, 30, 12, 36, 0, 0, time.UTC)
	form := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
	for _, c := range []struct {
		name, method, url, body, service string
		header                           http.Header
		want                             string
	}{
		{"get-vanilla", "GET", "https://example.amazonaws.com/", "", "service", nil, "host;x-amz-date, Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
		{"post-vanilla", "POST", "https://example.amazonaws.com/", "", "service", nil, "host;x-amz-date, Signature=5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"},
		{"get-vanilla-query-order-key-case", "GET", "https://example.amazonaws.com/?Param2=value2&Param1=value1", "", "service", nil, "host;x-amz-date, Signature=b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"},
		{"post-x-www-form-urlencoded", "POST", "https://example.amazonaws.com/", "Param1=value1", "service", form, "content-type;host;x-amz-date, Signature=ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"},
		{"iam", "GET", "https://iam.amazonaws.com/?Action=ListUsers&Version=2010-05-08", "", "iam", http.Header{"Content-Type": {"application/x-www-form-urlencoded; charset=utf-8"}}, "content-type;host;x-amz-date, Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"},
	} {
		r, err := http.NewRequestWithContext(t.Context(), c.method, c.url, nil)
		if err != nil {
			t.Fatal(err)
		}
		if c.header != nil {
			r.Header = c.header.Clone()
		}
		AWS(&plan.AWS{Region: "us-east-1", Service: c.service}, AWSKeys{Access: "AKIDEXAMPLE", Secret: secret.New("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")})(r, []byte(c.body), at)
		want := "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/" + c.service + "/aws4_request, SignedHeaders=" + c.want
		if got := r.Header.Get("Authorization"); got != want {
			t.Errorf("%s\ngot  %s\nwant %s", c.name, got, want)
		}
	}
	// An object of S3, from its documentation: the path is encoded once, and the
	// content is said in a header.
	r, _ := http.NewRequestWithContext(t.Context(), "GET", "https://examplebucket.s3.amazonaws.com/?lifecycle", nil)
	AWS(&plan.AWS{Region: "us-east-1", Service: "s3"}, AWSKeys{Access: "AKIAIOSFODNN7EXAMPLE", Secret: secret.New("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")})(r, nil, time.Date(2013, 5, 24, 0, 0, 0, 0, time.UTC))
	if got, want := r.Header.Get("Authorization"), "SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature=fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"; !strings.HasSuffix(got, want) {
		t.Errorf("s3\ngot  %s\nwant %s", got, want)
	}
	r.Header = http.Header{}
	AWS(&plan.AWS{Region: "r", Service: "s"}, AWSKeys{Session: secret.New("temporary")})(r, nil, at)
	if got := r.Header.Get("X-Amz-Security-Token"); got != "temporary" || !strings.Contains(r.Header.Get("Authorization"), ";x-amz-security-token,") {
		t.Errorf("a temporary key: %v", r.Header)
	}
	if got := awsPath(r.URL, "s") + awsPath(r.URL.JoinPath("a b", "c"), "s"); got != "//a%2520b/c" {
		t.Errorf("paths %s", got)
	}
}

// The first signature is that of RFC 4231, case 2.
func TestHMAC(t *testing.T) {
	for _, c := range []struct {
		plan plan.HMAC
		want string
	}{
		{plan.HMAC{Sign: []string{"body"}, Header: "X-Sig"}, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
		{plan.HMAC{Sign: []string{"body"}, Header: "X-Sig", Encoding: "base64", Prefix: "v1="}, "v1=W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM="},
		{plan.HMAC{Sign: []string{"body"}, Header: "X-Sig", Algorithm: "sha1"}, "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"},
		{plan.HMAC{Sign: []string{"body"}, Header: "X-Sig", Algorithm: "sha512"}, "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737"},
	} {
		r, _ := http.NewRequestWithContext(t.Context(), "POST", "https://x.example/a", nil)
		HMAC(&c.plan, "Jefe")(r, []byte("what do ya want for nothing?"), time.Unix(0, 0))
		if got := r.Header.Get("X-Sig"); got != c.want {
			t.Errorf("got %s, want %s", got, c.want)
		}
	}
	// What is signed is what is said, in its order.
	sign := func(p plan.HMAC, body string) string {
		r, _ := http.NewRequestWithContext(t.Context(), "POST", "https://x.example/a%20b?q=1", nil)
		p.Header = "X-Sig"
		HMAC(&p, "k")(r, []byte(body), time.Unix(1700000000, 0))
		return r.Header.Get("X-Sig") + r.Header.Get("X-Time")
	}
	got := sign(plan.HMAC{Sign: []string{"timestamp", "method", "host", "path", "query", "body"}, Separator: "|", Timestamp: "X-Time"}, "B")
	if want := sign(plan.HMAC{Sign: []string{"body"}}, "1700000000|POST|x.example|/a%20b|q=1|B") + "1700000000"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// The examples of RFC 7616, section 3.9.1, and of RFC 2617, section 3.5.
func TestDigest(t *testing.T) {
	const (
		rfc7616 = `realm="http-auth@example.org", qop="auth, auth-int", nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"`
		cnonce  = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
	)
	for _, c := range []struct{ name, challenge, password, cnonce, want string }{
		{"MD5", "Digest " + rfc7616 + ", algorithm=MD5", "Circle of Life", cnonce, "8ca523f5e9506fed4657c9700eebdbec"},
		{"SHA-256", "Digest " + rfc7616 + ", algorithm=SHA-256", "Circle of Life", cnonce, "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"},
		{"the better of two", `Basic realm="a, b", Digest ` + rfc7616 + ", algorithm=MD5, Digest " + rfc7616 + ", algorithm=SHA-256", "Circle of Life", cnonce, "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"},
		{"RFC 2617", `Digest realm="testrealm@host.com", qop="auth,auth-int", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", opaque="5ccc069c403ebaf9f0171e9517f40e41"`, "Circle Of Life", "0a4f113b", "6629fae49393a05397450978507c4ef1"},
		// The RFC has no example of auth-int; these are of another implementation of its section 3.4, over the same challenge and body.
		{"MD5 over the body", "Digest " + strings.Replace(rfc7616, "auth, auth-int", "auth-int", 1) + ", algorithm=MD5", "Circle of Life", cnonce, "802c7b37f84261b6743607457ca89c64"},
		{"SHA-256 over the body", "Digest " + strings.Replace(rfc7616, "auth, auth-int", "AUTH-INT, other", 1) + ", algorithm=SHA-256", "Circle of Life", cnonce, "f8ba62dc4efbcda9535f51f3b87b1e34378102877c18329162ef4c47e544c0f3"},
	} {
		d := &Login{Digest: NewDigest(), User: "Mufasa", Password: secret.New(c.password)}
		d.random = func() string { return c.cnonce }
		if !d.Take("x.example", http.Header{"Www-Authenticate": {c.challenge}}) {
			t.Errorf("%s: the challenge was not taken", c.name)
			continue
		}
		r, _ := http.NewRequestWithContext(t.Context(), "GET", "http://x.example/dir/index.html", nil)
		d.Sign(r, []byte(`{"a":1}`), time.Time{})
		if got := r.Header.Get("Authorization"); !strings.Contains(got, `response="`+c.want+`"`) || !strings.Contains(got, "nc=00000001, ") || !strings.Contains(got, `uri="/dir/index.html"`) {
			t.Errorf("%s: %s", c.name, got)
		}
		other, _ := http.NewRequestWithContext(t.Context(), "GET", "http://other.example/", nil)
		d.Sign(other, nil, time.Time{})
		if got := other.Header.Get("Authorization"); got != "" {
			t.Errorf("another host got %s", got)
		}
	}
	shared := NewDigest()
	login := func() *Login { return &Login{Digest: shared} }
	first, second := login(), login()
	take := func(l *Login, want bool, challenge string) {
		t.Helper()
		if got := l.Take("x", http.Header{"Www-Authenticate": {challenge}}); got != want {
			t.Errorf("%s was taken: %v", challenge, got)
		}
	}
	sign := func(l *Login, want string) {
		t.Helper()
		r, _ := http.NewRequestWithContext(t.Context(), "GET", "http://x/", nil)
		if l.Sign(r, nil, time.Time{}); !strings.Contains(r.Header.Get("Authorization"), `nonce="`+want+`"`) {
			t.Errorf("signed %s, want the nonce %s", r.Header.Get("Authorization"), want)
		}
	}
	for _, bad := range []string{`Basic realm="x"`, `Digest nonce="a", algorithm=FUTURE`, `Digest nonce="a", qop="auth-conf"`, `Digest realm="a"`} {
		take(first, false, bad)
	}
	// Two calls were challenged at once: one nonce is enough.
	take(first, true, `Digest nonce="a"`)
	take(second, true, `Digest nonce="b"`)
	sign(first, "a")
	sign(second, "a")
	take(first, true, `Digest nonce="c", stale=TRUE`)
	sign(first, "c")
	take(second, true, `Digest nonce="d", stale=true`)
	sign(second, "c")
	take(second, false, `Digest nonce="e"`) // the password is wrong
}

func TestChallenges(t *testing.T) {
	for in, want := range map[string]string{
		`Digest a="x\"y, z", b=c`:            `[map[a:x"y, z b:c]]`,
		`Negotiate, digest A = 1 ,Basic a=2`: `[map[a:1]]`,
		`Digest a="open`:                     `[map[a:open]]`,
		`=,= "`:                              `[]`,
		`Digest`:                             `[map[]]`,
	} {
		if got := fmt.Sprint(challenges(in)); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
}

// What a server writes is read to its end, whatever it is.
func FuzzChallenges(f *testing.F) {
	f.Add(`Basic realm="a, b", Digest realm="x", nonce="a\"b", qop=auth`)
	f.Add(`=,="\`)
	f.Fuzz(func(t *testing.T, s string) {
		for _, p := range challenges(s) {
			for name, value := range p {
				again := challenges("Digest " + name + "=" + quote(value))
				if !reflect.DeepEqual(again, []map[string]string{{name: value}}) {
					t.Errorf("%q: %q=%q was read again as %q", s, name, value, again)
				}
			}
		}
	})
}
