package upstream

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/mcpc-dev/mcpc/internal/egress"
	"github.com/mcpc-dev/mcpc/runtime/internal/result"
)

// Kinds of failures; they are the codes of results.
const (
	KindTimeout    = "timeout"     // the time of the call was up
	KindCanceled   = "canceled"    // the caller went away
	KindConnect    = "connect"     // no connection
	KindDNS        = "dns"         // the host's name does not resolve
	KindTLS        = "tls"         // no trusted encrypted connection
	KindAddress    = "address"     // the address is one that is refused
	KindConnection = "connection"  // the connection broke
	KindProtocol   = "protocol"    // what came is not HTTP
	KindTooLarge   = "too-large"   // the headers of the answer are larger than is read
	KindRedirect   = "redirect"    // a redirect that is not followed
	KindEncoding   = "encoding"    // a compression that is not known
	KindNoBaseURL  = "no-base-url" // where the upstream is, is not known
	KindCredential = "credential"  // a credential that cannot be sent
	KindLimit      = "rate-limit"  // the turn of the call would come too late
	KindBreaker    = "breaker"     // the upstream failed too often and is left alone
	KindBusy       = "busy"        // the upstream has as many requests as it gets at once
)

// Failure is a call without an answer, told to the model as it is: no part of it
// holds an address, a credential or the text of another library's error.
type Failure struct {
	Kind    string
	Message string // what failed
	Next    string // what to do; may be ""
	Retry   result.Retry
	// Attempts is how many requests were sent, or tried to be.
	Attempts int

	transient bool // another attempt may end better
	cause     error
}

func (f *Failure) Error() string { return f.Kind + ": " + f.Message }

// Result is the failure as the result of the call.
func (f *Failure) Result() *result.Result {
	return result.Error(f.Kind, f.Message, f.Next, f.Retry)
}

// Idempotent tells whether a request of the method may be sent twice with the
// effect of once (RFC 9110, section 9.2.2).
func Idempotent(method string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace, http.MethodPut, http.MethodDelete, "QUERY":
		return true
	}
	return false
}

// failed says what a transport's error means. ctx is the caller's, without the
// time limit of the call.
func (k *call) failed(ctx context.Context, err error) *Failure {
	f := &Failure{cause: err}
	// What may have reached the upstream may have been carried out.
	reached := result.RetryCheck
	if Idempotent(k.req.Method) {
		reached = result.RetryMay
	}
	after := ""
	if k.attempts > 1 {
		after = fmt.Sprintf(" (%d attempts)", k.attempts)
	}
	var (
		op       *net.OpError
		dns      *net.DNSError
		authorty x509.UnknownAuthorityError
		hostname x509.HostnameError
		invalid  x509.CertificateInvalidError
		verify   *tls.CertificateVerificationError
		record   tls.RecordHeaderError
		alert    tls.AlertError
	)
	dial := errors.As(err, &op) && op.Op == "dial"
	const operator = "If it stays so, tell the operator of this server."
	switch {
	case ctx.Err() == context.Canceled:
		f.Kind, f.Message, f.Retry = KindCanceled, "The call was canceled by its caller.", reached
	case errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled):
		f.Kind, f.Retry = KindTimeout, reached
		limit := k.timeout
		if ctx.Err() != nil { // the caller's own limit, which is not known here
			limit = time.Since(k.start)
		}
		f.Message = fmt.Sprintf("%s did not answer within %s%s.", k.name, seconds(limit), after)
		f.Next = "Ask for less at once if the tool's arguments allow it. " + operator
	case errors.Is(err, egress.ErrNever):
		f.Kind, f.Message = KindAddress, k.name+" has an address that is never called: a link-local, metadata or unspecified one."
		f.Next = "The operator of this server has to correct the base URL, or spell the address out in it."
	case errors.Is(err, egress.ErrPrivate):
		f.Kind, f.Message = KindAddress, "The name of the host of "+lower(k.name)+" leads to a private or loopback address, where calls of it are not sent."
		f.Next = "If that is meant, the operator of this server has to allow the address in egress of the API, or to give the address itself as the base URL; otherwise somebody tampers with the name."
	case errors.Is(err, egress.ErrHost), errors.Is(err, egress.ErrDenied):
		f.Kind, f.Message = KindAddress, k.name+" would be called at a host or address that this server may not call."
		f.Next = "The operator of this server has to look at the base URL and egress of the API."
	case errors.As(err, &dns):
		f.Kind, f.Message, f.Next = KindDNS, fmt.Sprintf("The name of the host of %s cannot be resolved%s.", lower(k.name), after), operator
		if !dns.IsNotFound {
			f.Retry, f.transient = result.RetryMay, true
		}
	case errors.Is(err, errFiles):
		f.Kind, f.Message = KindTLS, fmt.Sprintf("No encrypted connection to %s could be made: a certificate or key file of this server cannot be used.", lower(k.name))
		f.Next = "The operator of this server has to correct the files that tls of the API names."
	case errors.As(err, &authorty), errors.As(err, &hostname), errors.As(err, &invalid), errors.As(err, &verify):
		f.Kind, f.Message = KindTLS, fmt.Sprintf("The certificate of %s is not trusted: %s.", lower(k.name), distrust(err))
		f.Next = "The operator of this server has to correct the certificate, or add its authority to the trusted ones (tls = { ca = … } of the API, or SSL_CERT_FILE)."
	case errors.As(err, &record), errors.As(err, &alert), op != nil && (op.Op == "remote error" || op.Op == "local error"), // of crypto/tls
		strings.Contains(err.Error(), "server gave HTTP response to HTTPS client"):
		f.Kind, f.Message = KindTLS, fmt.Sprintf("No encrypted connection to %s could be made.", lower(k.name))
		f.Next = "The operator of this server has to check the base URL, https or http, and what the upstream demands of clients."
	case dial && op.Timeout(), strings.Contains(err.Error(), "TLS handshake timeout"):
		f.Kind, f.Message, f.Next = KindConnect, fmt.Sprintf("%s did not accept a connection within %s%s.", k.name, seconds(k.connect), after), operator
		f.Retry, f.transient = result.RetryMay, true
	case dial && errors.Is(err, syscall.ECONNREFUSED):
		f.Kind, f.Message, f.Next = KindConnect, fmt.Sprintf("%s refused the connection%s; it may be down.", k.name, after), operator
		f.Retry, f.transient = result.RetryMay, true
	case dial:
		f.Kind, f.Message, f.Next = KindConnect, fmt.Sprintf("%s cannot be reached%s.", k.name, after), operator
		f.Retry, f.transient = result.RetryMay, true
	case says(err, "server response headers exceeded", "response header list larger"):
		f.Kind, f.Message = KindTooLarge, fmt.Sprintf("The headers of the answer of %s are larger than %d KiB, the most that is read.", lower(k.name), maxHeaderBytes>>10)
		f.Next, f.Retry = "The operator of this server has to look at the upstream.", changed(reached)
	case says(err, "malformed HTTP", "malformed MIME header", "bad Content-Length", "multiple Content-Length", "invalid Content-Length", "unsupported transfer encoding", "too many transfer encodings", "malformed chunked encoding", "invalid byte in chunk length", "http chunk length too large", "chunked line ends with bare LF"):
		f.Kind, f.Message = KindProtocol, k.name+" answered with something that is not HTTP."
		f.Next, f.Retry = "The operator of this server has to check the base URL, its port above all, and the upstream.", changed(reached)
	default:
		f.Kind, f.Message, f.Next = KindConnection, fmt.Sprintf("The connection to %s broke before a whole answer had come%s.", lower(k.name), after), operator
		f.Retry, f.transient = reached, true
	}
	return f
}

// changed is what can be said about a retry that will not go better: whether
// something was changed is not known, where a request may change something.
func changed(reached result.Retry) result.Retry {
	if reached == result.RetryCheck {
		return reached
	}
	return result.RetryNo
}

// says tells whether an error of net/http, which has no types for them, is one
// of those.
func says(err error, texts ...string) bool {
	return slices.ContainsFunc(texts, func(t string) bool { return strings.Contains(err.Error(), t) })
}

// Unwrap returns what a library said, for the log. It may hold addresses.
func (f *Failure) Unwrap() error { return f.cause }

// distrust says in a few words what is wrong with a certificate.
func distrust(err error) string {
	var invalid x509.CertificateInvalidError
	if errors.As(err, &invalid) && invalid.Reason == x509.Expired {
		return "it has expired or is not valid yet"
	}
	if errors.As(err, new(x509.HostnameError)) {
		return "it is for another host"
	}
	if errors.As(err, new(x509.UnknownAuthorityError)) {
		return "its authority is not known"
	}
	return "it is not valid"
}

func seconds(d time.Duration) string {
	if d >= time.Second {
		return strconv.FormatFloat(d.Round(100*time.Millisecond).Seconds(), 'f', -1, 64) + " s"
	}
	return fmt.Sprintf("%d ms", d.Milliseconds())
}

// lower makes a name fit for the middle of a sentence.
func lower(name string) string { return "t" + strings.TrimPrefix(name, "T") }
