package response

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/mcpc-dev/mcpc/runtime/internal/expr"
	"github.com/mcpc-dev/mcpc/runtime/internal/result"
	"github.com/mcpc-dev/mcpc/runtime/internal/upstream"
)

const (
	maxExcerpt = 2 << 10  // bytes of an error's body that are shown
	maxRead    = 64 << 10 // bytes of it that are looked at
)

// refusal is the result of an answer with a status from 300 on.
func (d *Decoder) refusal(b *body) *result.Result {
	a := b.answer
	message := fmt.Sprintf("HTTP %s from %s", status(a.Status), d.operation)
	if a.Attempts > 1 {
		message += fmt.Sprintf(" (%d attempts)", a.Attempts)
	}
	message += "."
	if a.Status < 400 {
		message += redirection(a)
	}
	next, again := d.advice(a)
	text, next, again := d.advised(b, next, again)
	if text == "" {
		text = excerpt(a)
	}
	if text != "" {
		message += "\n" + text
	}
	return result.Error(fmt.Sprintf("http-%d", a.Status), a.Redact(message), next, again)
}

// advised is what the author says of the status of an answer, in his words; ""
// leaves it at what the answer says. next and again are what is said without him.
func (d *Decoder) advised(b *body, next string, again result.Retry) (text, hint string, _ result.Retry) {
	a := b.answer
	if i := slices.IndexFunc(d.advices, func(s advice) bool { return s.From <= a.Status && a.Status <= s.To }); i >= 0 {
		said := &d.advices[i]
		if said.message != nil {
			// The author's words stand for the upstream's, if they can be made.
			text, _ = textOf(said.message, d.refusedScope(b))
		}
		if said.Hint != "" {
			next = said.Hint
		}
		again = retry(said.Retry, a, again)
	}
	return text, next, again
}

// refusedScope is what expressions see of an answer of an error status: the
// decoded body, or its text when it is not what a good answer is.
func (d *Decoder) refusedScope(b *body) *expr.Env {
	k := b.media.kind
	if k == unknown || k == kindText {
		k = kindJSON
	}
	v, err := d.value(k, b)
	if err != nil && d.forced != unknown {
		v, err = d.value(d.forced, b)
	}
	if err != nil {
		v.json = result.AppendString(nil, string(b.utf8("")))
	}
	return b.scope(v.json)
}

// redirection says where a redirect that was not followed leads.
func redirection(a *upstream.Answer) string {
	l := a.Header.Get("Location")
	if l == "" {
		return " It says of no place to go to."
	}
	u, err := url.Parse(l)
	switch {
	case err != nil:
		return ""
	case u.Hostname() != "":
		return " It redirects to the host " + u.Hostname() + "."
	}
	return " It redirects to another path of the same host."
}

// advice says what can be done about a status.
func (d *Decoder) advice(a *upstream.Answer) (next string, retry result.Retry) {
	// Whether the upstream did something before it failed is not known.
	unsure := result.RetryMay
	if !d.safe {
		unsure = result.RetryCheck
	}
	after := upstream.RetryAfter(a.Header, time.Now())
	const operator = "If it stays so, tell the operator of this server."
	switch a.Status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusProxyAuthRequired:
		return credentials(a), result.RetryNo
	case http.StatusNotFound, http.StatusGone:
		next = "Check the identifiers in the arguments: what they name does not exist, or is not visible with the server's credentials."
		if len(a.Sent) == 0 && len(a.Missing) > 0 {
			next += " " + credentials(a)
		}
		return next, result.RetryNo
	case http.StatusMethodNotAllowed, http.StatusNotImplemented, http.StatusUpgradeRequired, http.StatusHTTPVersionNotSupported:
		return "The upstream does not offer this operation here; the operator of this server has to look into it.", result.RetryNo
	case http.StatusConflict, http.StatusPreconditionFailed, http.StatusLocked, http.StatusPreconditionRequired:
		return "What the call is about is in another state than the call needs: read it again and adapt the call.", result.RetryNo
	case http.StatusRequestEntityTooLarge, http.StatusRequestURITooLong, http.StatusRequestHeaderFieldsTooLarge:
		return "Send less at once.", result.RetryNo
	case http.StatusTooManyRequests:
		return "Call less often.", result.RetryAfter(after)
	case http.StatusRequestTimeout, http.StatusTooEarly:
		return operator, result.RetryAfter(after)
	case http.StatusServiceUnavailable:
		switch {
		case after > 0 && d.safe:
			return operator, result.RetryAfter(after)
		case after > 0:
			return result.RetryCheck.String(), result.RetryAfter(after)
		}
		return operator, unsure
	}
	switch {
	case a.Status >= 500:
		return operator, unsure
	case a.Status >= 400:
		return "Correct the arguments and call again.", result.RetryNo
	case d.safe:
		return "The operator of this server has to look into it.", result.RetryNo
	}
	return "A redirect of this method is not followed.", result.RetryCheck
}

// credentials says what about the credentials can be done: names of what has to
// be set, no values.
func credentials(a *upstream.Answer) string {
	switch {
	case len(a.Sent) > 0 && a.Status == http.StatusForbidden:
		return fmt.Sprintf("The credential %s was sent; it does not permit this. The operator of this server may have one that does.", list(a.Sent))
	case len(a.Sent) > 0:
		return fmt.Sprintf("The credential %s was sent and not accepted: the operator of this server has to check it.", list(a.Sent))
	case len(a.Missing) > 0:
		return "No credential was sent, because none is set: the operator of this server has to set " + strings.Join(a.Missing, ", or ") + "."
	}
	return "No credential was sent: the operation's description asks for none. The operator of this server has to look into it."
}

func list(names []string) string {
	quoted := make([]string, len(names))
	for i, n := range names {
		quoted[i] = fmt.Sprintf("%q", n)
	}
	return strings.Join(quoted, " and ")
}

// excerpt is what a body says about an error, as far as it is of use, without
// the credentials that some services repeat.
func excerpt(a *upstream.Answer) string {
	b := &body{answer: a, media: mediaOf(a.Header), bytes: a.Body, cut: a.Truncated}
	if len(b.bytes) == 0 {
		return ""
	}
	if len(b.bytes) > maxRead {
		b.bytes, b.cut = b.bytes[:maxRead], true
	}
	k := b.media.kind
	var text string
	switch {
	case looksHTML(b.bytes) || k == kindHTML && !looksJSON(b.bytes):
		if doc := parseHTML(b); doc != nil {
			text = strings.Join(strings.Fields(plainText(doc)), " ")
		}
	case k == kindJSON || looksJSON(b.bytes):
		text = string(b.utf8(""))
		if v := jsontext.Value(text); v.IsValid(jsontext.AllowDuplicateNames(true)) {
			text = problem(v)
		}
	case k == kindImage || k == kindAudio || k == kindBytes || k == unknown && !readable(wholeRunes(b.bytes)):
		text = fmt.Sprintf("(%s)", (&Decoder{}).describe(&body{answer: a, media: b.media, bytes: a.Body}))
	case k == kindXML:
		text = string(b.utf8(xmlEncoding(b.bytes)))
	default:
		text = string(b.utf8(""))
	}
	// First the whole, then a part: half a credential is one, too.
	return result.Shorten(strings.TrimSpace(a.Redact(strings.ToValidUTF8(text, "\ufffd"))), maxExcerpt)
}

// problem is the text of an error in JSON. Problem details (RFC 9457) are said
// in sentences, with the members a problem type adds; other JSON is compacted.
func problem(v jsontext.Value) string {
	v = withoutTraces(v)
	compact := func(v jsontext.Value) string {
		c := v.Clone()
		// Without escapes that are not needed, so that credentials are recognised.
		if err := c.Format(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)); err != nil {
			return string(v)
		}
		return string(c)
	}
	var members map[string]jsontext.Value
	if v.Kind() != '{' || json.Unmarshal(v, &members) != nil {
		return compact(v)
	}
	said := func(name string) string {
		var s string
		if members[name].Kind() != '"' || json.Unmarshal(members[name], &s) != nil {
			return ""
		}
		return strings.TrimSpace(s)
	}
	title, detail := said("title"), said("detail")
	_, hasType := members["type"]
	_, hasStatus := members["status"]
	if title == "" && detail == "" || !hasType && !hasStatus {
		return compact(v)
	}
	text := title
	if detail != "" && detail != title {
		if text != "" {
			text = strings.TrimSuffix(text, ".") + ": "
		}
		text += detail
	}
	var rest []string
	for name, v := range members {
		switch name {
		case "title", "detail", "status", "instance":
			continue
		case "type":
			if s := said("type"); s == "" || s == "about:blank" {
				continue
			}
		}
		rest = append(rest, name+": "+compact(v))
	}
	slices.Sort(rest)
	return strings.Join(append([]string{text}, rest...), "\n")
}

// traces are members that tell how a service works inside. They help nobody who
// calls it, and name files, hosts and libraries of its owner.
var traces = map[string]bool{
	"trace": true, "stack": true, "stacktrace": true, "stack_trace": true, "backtrace": true,
	"callstack": true, "call_stack": true, "traceback": true, "debug": true, "debuginfo": true, "debug_info": true,
}

// withoutTraces returns v without members that are traces, at any depth. v is
// valid JSON but for names that come twice.
func withoutTraces(v jsontext.Value) jsontext.Value {
	lenient := []jsontext.Options{jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)}
	in := jsontext.NewDecoder(bytes.NewReader(v), lenient...)
	var out bytes.Buffer
	to := jsontext.NewEncoder(&out, lenient...)
	for {
		token, err := in.ReadToken()
		if errors.Is(err, io.EOF) {
			return bytes.TrimSuffix(out.Bytes(), []byte("\n"))
		}
		if err != nil {
			return v
		}
		kind, length := in.StackIndex(in.StackDepth())
		if isName := kind == '{' && length%2 == 1 && token.Kind() == '"'; isName && traces[strings.ToLower(token.String())] {
			err = in.SkipValue()
		} else {
			err = to.WriteToken(token)
		}
		if err != nil {
			return v
		}
	}
}
