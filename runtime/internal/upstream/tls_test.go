package upstream

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/mcpc-dev/mcpc/runtime/internal/principal"
	"github.com/mcpc-dev/mcpc/runtime/plan"
)

// issued is a certificate and its key in PEM form.
type issued struct {
	cert, key string
	x509      *x509.Certificate
	signer    crypto.Signer
}

func issue(t *testing.T, name string, by *issued) *issued {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	parent, signer := c, crypto.Signer(key)
	if by == nil {
		c.IsCA, c.BasicConstraintsValid, c.KeyUsage = true, true, x509.KeyUsageCertSign
	} else {
		parent, signer = by.x509, by.signer
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return &issued{string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw})), c, key}
}

func TestClientTLS(t *testing.T) {
	ca := issue(t, "ca", nil)
	server, client, stranger := issue(t, "erp.example", ca), issue(t, "mcpc", ca), issue(t, "mcpc", issue(t, "other", nil))
	pair, err := tls.X509KeyPair([]byte(server.cert), []byte(server.key))
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM([]byte(ca.cert))
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.TLS.PeerCertificates[0].Subject.CommonName+" "+tls.VersionName(r.TLS.Version))
	}))
	s.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool, MaxVersion: tls.VersionTLS12}
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	defer s.Close()
	files := map[string]string{"ca": ca.cert, "cert": client.cert, "key": client.key, "s-cert": stranger.cert, "s-key": stranger.key, "empty": ""}
	read := func(name string) ([]byte, error) {
		if text, ok := files[name]; ok {
			return []byte(text), nil
		}
		return nil, os.ErrNotExist
	}
	const unusable = `tls: No encrypted connection to the upstream "erp" could be made: a certificate or key file of this server cannot be used.`
	for _, c := range []struct {
		name string
		tls  plan.ClientTLS
		want string
	}{
		{"all", plan.ClientTLS{CA: "ca", Cert: "cert", Key: "key", ServerName: "erp.example"}, "200 mcpc TLS 1.2"},
		{"no ca", plan.ClientTLS{Cert: "cert", Key: "key", ServerName: "erp.example"}, `tls: The certificate of the upstream "erp" is not trusted: its authority is not known.`},
		{"another name", plan.ClientTLS{CA: "ca", Cert: "cert", Key: "key"}, `tls: The certificate of the upstream "erp" is not trusted: it is for another host.`},
		{"no certificate", plan.ClientTLS{CA: "ca", ServerName: "erp.example"}, `tls: No encrypted connection to the upstream "erp" could be made.`},
		{"a stranger's", plan.ClientTLS{CA: "ca", Cert: "s-cert", Key: "s-key", ServerName: "erp.example"}, `tls: No encrypted connection to the upstream "erp" could be made.`},
		{"too old", plan.ClientTLS{CA: "ca", Cert: "cert", Key: "key", ServerName: "erp.example", MinVersion: "1.3"}, `tls: No encrypted connection to the upstream "erp" could be made.`},
		{"no file", plan.ClientTLS{CA: "gone", ServerName: "erp.example"}, unusable},
		{"nothing in it", plan.ClientTLS{CA: "empty", ServerName: "erp.example"}, unusable},
		{"a key that does not fit", plan.ClientTLS{CA: "ca", Cert: "cert", Key: "s-key", ServerName: "erp.example"}, unusable},
	} {
		t.Run(c.name, func(t *testing.T) {
			client, err := New(plan.Upstream{Name: "erp", BaseURL: s.URL, TLS: &c.tls, Retry: plan.Retry{Attempts: 1}}, Options{ReadFile: read})
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			if got := ask(t.Context(), client, principal.Principal{}, "GET", s.URL); !strings.HasPrefix(got, c.want) {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
	t.Run("files that come later", func(t *testing.T) {
		delete(files, "ca")
		client, err := New(plan.Upstream{Name: "erp", BaseURL: s.URL, TLS: &plan.ClientTLS{CA: "ca", Cert: "cert", Key: "key", ServerName: "erp.example"}}, Options{ReadFile: read})
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		if got := ask(t.Context(), client, principal.Principal{}, "GET", s.URL); !strings.HasPrefix(got, unusable) {
			t.Error(got)
		}
		files["ca"] = ca.cert
		if got := ask(t.Context(), client, principal.Principal{}, "GET", s.URL); got != "200 mcpc TLS 1.2" {
			t.Error(got)
		}
	})
}

// pemOf is a certificate in PEM form.
func pemOf(c *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
}
