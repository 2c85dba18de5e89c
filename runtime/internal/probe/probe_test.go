package probe

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// statuses are what was found, by check.
func statuses(list []Finding) string {
	var b strings.Builder
	for _, f := range list {
		b.WriteString(f.Check + ":" + string(f.Status) + " ")
	}
	return strings.TrimSpace(b.String())
}

// Each step that fails is the last one, and says what to do.
func TestService(t *testing.T) {
	status, date := http.StatusOK, ""
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" {
			t.Error("a credential was sent")
		}
		if date != "" {
			w.Header().Set("Date", date)
		}
		w.WriteHeader(status)
	})
	plain, encrypted := httptest.NewServer(h), httptest.NewTLSServer(h)
	defer plain.Close()
	defer encrypted.Close()
	pool := x509.NewCertPool()
	pool.AddCert(encrypted.Certificate())
	trusting := &tls.Config{RootCAs: pool, ServerName: "example.com", MinVersion: tls.VersionTLS12}
	other := trusting.Clone()
	other.ServerName = "other.example"
	for _, tt := range []struct {
		name   string
		target Target
		status int
		skew   time.Duration
		want   string
		next   string // part of what to do
	}{
		{"all is well", Target{URL: plain.URL}, 200, 0, "tcp:ok http:ok clock:ok", ""},
		{"with TLS", Target{URL: encrypted.URL, TLS: trusting}, 200, 0, "tcp:ok tls:ok http:ok clock:ok", ""},
		{"it wants credentials", Target{URL: plain.URL}, 401, 0, "tcp:ok http:ok clock:ok", ""},
		{"it fails", Target{URL: plain.URL}, 503, 0, "tcp:ok http:warn clock:ok", "logs"},
		{"a clock that is off", Target{URL: plain.URL}, 200, time.Minute, "tcp:ok http:ok clock:warn", "NTP"},
		{"a clock that is wrong", Target{URL: plain.URL}, 200, -time.Hour, "tcp:ok http:ok clock:fail", "NTP"},
		{"an authority nobody knows", Target{URL: encrypted.URL}, 200, 0, "tcp:ok tls:fail", "authority"},
		{"another's certificate", Target{URL: encrypted.URL, TLS: other}, 200, 0, "tcp:ok tls:fail", "server_name"},
		{"TLS at a port that has none", Target{URL: strings.Replace(plain.URL, "http:", "https:", 1)}, 200, 0, "tcp:ok tls:fail", "plain HTTP"},
		{"nobody there", Target{URL: "http://127.0.0.1:1"}, 200, 0, "tcp:fail", "firewall"},
		{"a name that the certificate has not", Target{URL: strings.Replace(encrypted.URL, "127.0.0.1", "localhost", 1), TLS: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}, 200, 0, "dns:ok tcp:ok tls:fail", "Use a name that the certificate has"},
		{"a name nobody knows", Target{URL: "http://doctor.invalid"}, 200, 0, "dns:fail", "Correct the host"},
		{"no address", Target{URL: "ftp://x"}, 200, 0, "address:fail", "http"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			status, date = tt.status, time.Now().Add(tt.skew).UTC().Format(http.TimeFormat)
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			list := Service(ctx, tt.target)
			if got := statuses(list); got != tt.want {
				t.Fatalf("%s, not %s: %+v", got, tt.want, list)
			}
			last := list[len(list)-1]
			for _, f := range list {
				if f.Status != OK {
					last = f
				}
			}
			if !strings.Contains(last.Next, tt.next) || last.Status != OK && last.Next == "" {
				t.Errorf("%+v does not say %q", last, tt.next)
			}
		})
	}
}

func TestExpiry(t *testing.T) {
	for left, want := range map[time.Duration]Status{-time.Hour: Fail, 48 * time.Hour: Warn, 1000 * time.Hour: OK} {
		if f := Expiry("tls", time.Now().Add(left)); f.Status != want {
			t.Errorf("%s before its end: %+v", left, f)
		}
	}
}
