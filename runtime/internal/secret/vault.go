package secret

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/mcpc-dev/mcpc/runtime/plan"
)

const (
	vaultTimeout   = 10 * time.Second
	maxVaultAnswer = 1 << 20
	maxVaultLogin  = 24 * time.Hour
	kubernetesFile = "/var/run/secrets/kubernetes.io/serviceaccount/token" //nolint:gosec // where Kubernetes puts it
)

// vault reads the KV engine of a Vault or OpenBao server by its HTTP API
// (https://developer.hashicorp.com/vault/api-docs/secret/kv). Where the server is
// and who asks is read from the environment at every request:
//
//	VAULT_ADDR, VAULT_NAMESPACE, VAULT_CACERT, VAULT_CLIENT_CERT, VAULT_CLIENT_KEY, VAULT_TLS_SERVER_NAME
//	VAULT_TOKEN, or MCPC_VAULT_TOKEN_FILE; or, to log in,
//	MCPC_VAULT_ROLE_ID with MCPC_VAULT_SECRET_ID or MCPC_VAULT_SECRET_ID_FILE (AppRole)
//	MCPC_VAULT_KUBERNETES_ROLE (Kubernetes; the token is the service account's)
//	MCPC_VAULT_AUTH_MOUNT is where the method is mounted, "approle" or "kubernetes" otherwise.
type vault struct {
	Options
	now func() time.Time

	mu        sync.Mutex
	transport *http.Transport
	made      string // of what transport was made
	token     Text   // of a login
	until     time.Time
	asked     string // with what it was logged in, without secrets
}

func newVault(o Options) *vault { return &vault{Options: o, now: time.Now} }

// read returns a field of a secret.
func (v *vault) read(ref plan.Vault) (string, *Error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*vaultTimeout)
	defer cancel()
	token, own, err := v.credentials(ctx)
	if err != nil {
		return "", err
	}
	status, body, err := v.ask(ctx, http.MethodGet, ref.Path, token, nil)
	if err == nil && status == http.StatusForbidden && own {
		// The token of the login was revoked, or its uses are up.
		v.forget(token)
		if token, _, err = v.credentials(ctx); err == nil {
			status, body, err = v.ask(ctx, http.MethodGet, ref.Path, token, nil)
		}
	}
	if err != nil {
		return "", err
	}
	var answer struct {
		Data     map[string]json.RawMessage `json:"data"`
		Warnings []string                   `json:"warnings"`
	}
	parsed := json.Unmarshal(body, &answer)
	switch {
	case status == http.StatusNotFound && strings.Contains(strings.Join(answer.Warnings, " "), "versioned"):
		return "", &Error{Message: `Vault has no such path: with version 2 of the KV engine it has "data" after the mount, as in secret/data/erp`}
	case status == http.StatusNotFound:
		return "", &Error{Message: "Vault has no such secret"}
	case status == http.StatusForbidden:
		return "", &Error{Message: "Vault does not allow it to this server's token"}
	case status != http.StatusOK:
		return "", &Error{Passing: status >= http.StatusInternalServerError || status == http.StatusTooManyRequests || status/10 == 47, Message: fmt.Sprintf("Vault answered %d", status)}
	case parsed != nil:
		return "", &Error{Message: "Vault's answer cannot be read"}
	}
	data := answer.Data
	if inner, meta := data["data"], data["metadata"]; inner != nil && meta != nil { // version 2
		data = nil
		if json.Unmarshal(inner, &data) != nil || data == nil {
			return "", &Error{Message: "Vault has deleted this version of the secret"}
		}
	}
	field := data[ref.Field]
	var text string
	if json.Unmarshal(field, &text) == nil && text != "" {
		return text, nil
	}
	var number json.Number
	if json.Unmarshal(field, &number) == nil && number != "" {
		return number.String(), nil
	}
	return "", &Error{Message: "the secret in Vault has no such field, or it is no text"}
}

// credentials is the token of a request, and whether it comes from a login.
func (v *vault) credentials(ctx context.Context) (token string, own bool, err *Error) {
	if t := v.Getenv("VAULT_TOKEN"); t != "" {
		return t, false, nil
	}
	if file := v.Getenv("MCPC_VAULT_TOKEN_FILE"); file != "" {
		t, err := v.file(file, "MCPC_VAULT_TOKEN_FILE")
		return t, false, err
	}
	mount, login := v.Getenv("MCPC_VAULT_AUTH_MOUNT"), map[string]string{}
	var asked, name, path, what string // the file is the value of name in the login
	switch {
	case v.Getenv("MCPC_VAULT_ROLE_ID") != "":
		login["role_id"], login["secret_id"] = v.Getenv("MCPC_VAULT_ROLE_ID"), v.Getenv("MCPC_VAULT_SECRET_ID")
		if file := v.Getenv("MCPC_VAULT_SECRET_ID_FILE"); file != "" && login["secret_id"] == "" {
			name, path, what = "secret_id", file, "MCPC_VAULT_SECRET_ID_FILE"
		}
		if mount == "" {
			mount = "approle"
		}
		asked = "approle " + login["role_id"]
	case v.Getenv("MCPC_VAULT_KUBERNETES_ROLE") != "":
		login["role"] = v.Getenv("MCPC_VAULT_KUBERNETES_ROLE")
		name, path, what = "jwt", kubernetesFile, "the service account"
		if mount == "" {
			mount = "kubernetes"
		}
		asked = "kubernetes " + login["role"]
	default:
		return "", false, &Error{Message: "there is no token for Vault: VAULT_TOKEN, MCPC_VAULT_TOKEN_FILE, MCPC_VAULT_ROLE_ID or MCPC_VAULT_KUBERNETES_ROLE has to be set"}
	}
	asked += " " + mount + " " + v.Getenv("VAULT_ADDR")
	v.mu.Lock()
	token, valid := v.token.Reveal(), v.asked == asked && v.now().Before(v.until)
	v.mu.Unlock()
	if valid {
		return token, true, nil
	}
	if name != "" { // read for every login: it is replaced from time to time
		if login[name], err = v.file(path, what); err != nil {
			return "", false, err
		}
	}
	body, _ := json.Marshal(login) // of texts, never fails
	status, answer, err := v.ask(ctx, http.MethodPost, "auth/"+strings.Trim(mount, "/")+"/login", "", body)
	if err != nil {
		return "", false, err
	}
	var got struct {
		Auth struct {
			Token string `json:"client_token"`
			Life  int64  `json:"lease_duration"`
		} `json:"auth"`
	}
	if status != http.StatusOK || json.Unmarshal(answer, &got) != nil || got.Auth.Token == "" {
		return "", false, &Error{Passing: status >= http.StatusInternalServerError || status == http.StatusTooManyRequests, Message: fmt.Sprintf("Vault refused the login (status %d)", status)}
	}
	life := min(time.Duration(max(got.Auth.Life, 0))*time.Second, maxVaultLogin)
	if got.Auth.Life <= 0 { // it does not expire
		life = maxVaultLogin
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.token, v.asked, v.until = New(got.Auth.Token), asked, v.now().Add(life-life/4)
	return got.Auth.Token, true, nil
}

func (v *vault) forget(token string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.token.Reveal() == token {
		v.token, v.asked = Text{}, ""
	}
}

func (v *vault) file(path, what string) (string, *Error) {
	b, err := v.ReadFile(path)
	if err != nil {
		return "", &Error{Message: "the file of " + what + " cannot be read"}
	}
	return strings.TrimSpace(string(b)), nil
}

// ask makes a request. It follows no redirect: the token would go along.
func (v *vault) ask(ctx context.Context, method, path, token string, body []byte) (status int, answer []byte, e *Error) {
	base, err := url.Parse(v.Getenv("VAULT_ADDR"))
	if err != nil || base.Host == "" || base.Scheme != "https" && base.Scheme != "http" {
		return 0, nil, &Error{Message: "VAULT_ADDR is not set to a URL"}
	}
	transport, e := v.connection()
	if e != nil {
		return 0, nil, e
	}
	ctx, cancel := context.WithTimeout(ctx, vaultTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, base.JoinPath("v1", path).String(), bytes.NewReader(body))
	if err != nil {
		return 0, nil, &Error{Message: "the path is none"}
	}
	req.Header.Set("User-Agent", "mcpc")
	req.Header.Set("X-Vault-Request", "true")
	if token != "" {
		req.Header.Set("X-Vault-Token", token)
	}
	if ns := v.Getenv("VAULT_NAMESPACE"); ns != "" {
		req.Header.Set("X-Vault-Namespace", ns)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := transport.RoundTrip(req)
	if err != nil {
		return 0, nil, &Error{Passing: true, Message: "Vault cannot be reached"}
	}
	defer res.Body.Close()
	answer, err = io.ReadAll(io.LimitReader(res.Body, maxVaultAnswer+1))
	if err != nil || len(answer) > maxVaultAnswer {
		return 0, nil, &Error{Passing: err != nil, Message: "Vault gave no whole answer"}
	}
	return res.StatusCode, answer, nil
}

// connection is the transport that the environment asks for. It is made anew when
// that, or one of its files, has changed.
func (v *vault) connection() (*http.Transport, *Error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: v.Getenv("VAULT_TLS_SERVER_NAME")}
	made := c.ServerName
	if file := v.Getenv("VAULT_CACERT"); file != "" {
		text, e := v.file(file, "VAULT_CACERT")
		if e != nil {
			return nil, e
		}
		if c.RootCAs = x509.NewCertPool(); !c.RootCAs.AppendCertsFromPEM([]byte(text)) {
			return nil, &Error{Message: "the file of VAULT_CACERT holds no certificate"}
		}
		made += "\x00" + text
	}
	if file := v.Getenv("VAULT_CLIENT_CERT"); file != "" {
		cert, e := v.file(file, "VAULT_CLIENT_CERT")
		if e != nil {
			return nil, e
		}
		key, e := v.file(v.Getenv("VAULT_CLIENT_KEY"), "VAULT_CLIENT_KEY")
		if e != nil {
			return nil, e
		}
		pair, err := tls.X509KeyPair([]byte(cert), []byte(key))
		if err != nil {
			return nil, &Error{Message: "the files of VAULT_CLIENT_CERT and VAULT_CLIENT_KEY are no pair"}
		}
		c.Certificates = []tls.Certificate{pair}
		made += "\x00" + cert
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.transport == nil || v.made != made {
		v.transport, v.made = &http.Transport{TLSClientConfig: c, TLSHandshakeTimeout: vaultTimeout, IdleConnTimeout: time.Minute, ForceAttemptHTTP2: true}, made
	}
	return v.transport, nil
}
