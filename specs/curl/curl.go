// Package curl reads curl command lines: what "copy as cURL" of a browser gives,
// and what documentation of APIs is full of.
package curl

import (
	"strings"

	"github.com/mcpc-dev/mcpc/specs"
	"github.com/mcpc-dev/mcpc/specs/diag"
	"github.com/mcpc-dev/mcpc/specs/imported"
)

// Limits of one import.
const (
	maxBytes    = 4 << 20
	maxCommands = 500
)

// Read makes a spec of the curl commands of a text, a tool of each. The spec is
// nil when there is none.
func Read(src *diag.Source) (*imported.Spec, diag.List) {
	b := imported.NewBuilder(src)
	r := &reader{Builder: b}
	r.refs = &imported.Refs{Open: open, Close: closing, Resolve: r.reference}
	if len(src.Text) > maxBytes {
		return b.Failed(diag.Diagnostic{Code: "too-large", Message: "the text is larger than 4 MiB"})
	}
	list, bad := commands(string(b.Source.Text))
	if bad != nil {
		bad.Range.Source = b.Source
		return b.Failed(*bad)
	}
	for _, words := range list { // first, so that they keep their names
		for _, w := range words {
			r.refs.Text(w.text)
		}
	}
	n := 0
	for _, words := range list {
		name := words[0].text
		if name == "$" && len(words) > 1 { // a prompt
			words = words[1:]
			name = words[0].text
		}
		if i := strings.LastIndexAny(name, `/\`); i >= 0 {
			name = name[i+1:]
		}
		if strings.TrimSuffix(strings.ToLower(name), ".exe") != "curl" {
			b.Warn("not-imported", r.at(words[0]), "only curl is", "the command %s is not imported", words[0].text)
			continue
		}
		if n++; n > maxCommands {
			b.Warn("not-imported", r.at(words[0]), "", "there are more than %d commands; the rest is not imported", maxCommands)
			break
		}
		r.command(words)
	}
	if len(b.Spec.Tools) == 0 {
		return b.Failed(diag.Diagnostic{Code: "nothing-to-import", Message: "there is no curl command with a URL", Hint: "give the text of a command that begins with curl"})
	}
	b.Spec.Name = b.Spec.APIs[0].Name
	b.Spec.Origin = "Made of curl commands. Look through names and descriptions: they are all that a model sees."
	return b.Done()
}

type reader struct {
	*imported.Builder
	refs *imported.Refs
}

func (r *reader) at(w word) diag.Range {
	return diag.Range{Source: r.Source, Start: w.start, End: w.end}
}

// reference is a variable of the shell.
func (r *reader) reference(name string) *specs.Expr {
	if imported.IsSecretName(name) {
		return r.EnvSecret("$"+name+" of the command", name)
	}
	return r.Variable(strings.ToLower(name), nil, "$"+name+" of the command")
}

// withValue are the options that take a value, besides those that command knows.
// A wrong entry would take the URL for a value, or the reverse.
var withValue = strings.Fields(`abstract-unix-socket alt-svc aws-sigv4 cacert capath cert cert-type ciphers config connect-timeout connect-to
continue-at cookie-jar create-file-mode crlfile delegation dns-servers doh-url dump-header egd-file engine etag-compare etag-save expect100-timeout
happy-eyeballs-timeout-ms haproxy-clientip hostpubsha256 hsts interface ipfs-gateway keepalive-time key key-type krb limit-rate local-port login-options
max-filesize max-redirs max-time netrc-file noproxy output output-dir parallel-max pass pinnedpubkey postquote preproxy proto proto-default proto-redir proxy
proxy-header proxy-user proxy1.0 pubkey quote random-file range rate resolve retry retry-delay retry-max-time sasl-authzid service-name socks4 socks4a socks5 socks5-hostname
speed-limit speed-time stderr telnet-option tls-max tls13-ciphers trace trace-ascii unix-socket variable write-out`)

// short are the long names of options of one letter.
var short = map[byte]string{'X': "request", 'H': "header", 'd': "data", 'F': "form", 'u': "user", 'b': "cookie", 'G': "get", 'I': "head", 'A': "user-agent", 'e': "referer",
	'k': "insecure", 'L': "location", 's': "silent", 'S': "show-error", 'v': "verbose", 'i': "include", 'f': "fail", 'o': "output", 'O': "remote-name", 'm': "max-time",
	'x': "proxy", 'U': "proxy-user", 'T': "upload-file", 'E': "cert", 'w': "write-out", 'c': "cookie-jar", 'D': "dump-header", 'K': "config", 'r': "range", 'C': "continue-at",
	'y': "speed-time", 'Y': "speed-limit", 'z': "time-cond", 'Q': "quote", 't': "telnet-option", 'P': "ftp-port", 'h': "help", 'N': "no-buffer", '#': "progress-bar", '0': "http1.0"}

// known are the options with a value that command looks at.
var known = strings.Fields("request header data data-ascii data-raw data-binary data-urlencode form form-string user cookie user-agent referer url url-query json oauth2-bearer upload-file time-cond ftp-port")

// unmapped are options that change what is sent or accepted and have no
// counterpart in a spec, with what to do.
var unmapped = map[string]string{
	"insecure": "certificates are always checked: let the machine trust the service's authority",
	"proxy":    "set HTTPS_PROXY where mcpc runs",
	"cert":     "client certificates are set up where mcpc runs",
	"digest":   "", "ntlm": "", "negotiate": "", "aws-sigv4": "", "config": "", "netrc": "give the user with -u",
}

// request is a command while it is read.
type request struct {
	urls              []word
	method            string
	headers           []imported.Field
	data              []string
	form              []imported.Field
	get, head, isJSON bool
	file, upload      bool // the body is a file
	user              *word
	place             diag.Range
}

func (r *reader) command(words []word) {
	q := &request{place: r.at(words[0])}
	for i := 1; i < len(words); i++ {
		w := words[i]
		name, value, ok := "", word{}, false
		switch {
		case w.text == "--" || w.text == "-" || w.text == "":
			continue
		case strings.HasPrefix(w.text, "--"):
			name = w.text[2:]
			if n, v, eq := strings.Cut(name, "="); eq && takesValue(n) {
				name, value, ok = n, word{text: v, start: w.start, end: w.end}, true
			}
		case strings.HasPrefix(w.text, "-"):
			for j := 1; j < len(w.text) && !ok; j++ {
				if name = short[w.text[j]]; name == "" {
					name = w.text[j : j+1]
				}
				if takesValue(name) {
					if rest := w.text[j+1:]; rest != "" {
						value, ok = word{text: strings.TrimPrefix(rest, "="), start: w.start, end: w.end}, true
						if name != "request" {
							value.text = rest
						}
					}
					break
				}
				if j+1 < len(w.text) {
					r.option(q, name, w)
				}
			}
		default:
			q.urls = append(q.urls, w)
			continue
		}
		if takesValue(name) && !ok {
			if i+1 == len(words) {
				r.Warn("not-imported", r.at(w), "", "the option --%s has no value", name)
				break
			}
			i++
			value = words[i]
		}
		if takesValue(name) {
			r.optionWith(q, name, value)
		} else {
			r.option(q, name, w)
		}
	}
	if len(q.urls) == 0 {
		r.Warn("not-imported", q.place, "", "the command has no URL")
		return
	}
	for _, u := range q.urls {
		r.request(q, u)
	}
}

func takesValue(name string) bool {
	for _, list := range [][]string{known, withValue} {
		for _, n := range list {
			if n == name {
				return true
			}
		}
	}
	return false
}

// option is an option without a value.
func (r *reader) option(q *request, name string, w word) {
	switch name {
	case "get":
		q.get = true
	case "head":
		q.head = true
	default:
		if hint, ok := unmapped[name]; ok {
			r.Warn("not-imported", r.at(w), hint, "the option --%s is not imported", name)
		}
	}
}

func (r *reader) optionWith(q *request, name string, v word) {
	switch name {
	case "url":
		q.urls = append(q.urls, v)
	case "request":
		q.method = strings.ToUpper(v.text)
	case "header":
		name, value, found := strings.Cut(v.text, ":")
		name, value = strings.TrimSpace(name), strings.TrimSpace(value)
		if !found || value == "" || strings.HasPrefix(v.text, "@") { // "X:" takes a header away, "X;" sends an empty one
			return
		}
		q.headers = append(q.headers, imported.Field{Name: name, Value: r.refs.Text(value), Range: r.at(v)})
	case "oauth2-bearer":
		q.headers = append(q.headers, imported.Field{Name: "Authorization", Value: r.refs.Text("Bearer " + v.text), Range: r.at(v)})
	case "cookie":
		if !strings.Contains(v.text, "=") {
			r.Warn("not-imported", r.at(v), "give the cookies as name=value", "the cookies of the file %s are not imported", v.text)
			return
		}
		q.headers = append(q.headers, imported.Field{Name: "Cookie", Value: imported.Text(v.text), Range: r.at(v)})
	case "user":
		q.user = &v
	case "json":
		q.isJSON = true
		q.add(v.text)
	case "data", "data-ascii", "data-binary":
		q.add(v.text)
	case "upload-file":
		q.file, q.upload = true, true
	case "data-raw":
		q.data = append(q.data, v.text)
	case "data-urlencode", "url-query":
		text := v.text
		if n, content, ok := strings.Cut(text, "="); ok {
			text = escape(content)
			if n != "" {
				text = n + "=" + text
			}
		} else if !strings.Contains(text, "@") {
			text = escape(text)
		}
		q.data = append(q.data, text)
		q.get = q.get || name == "url-query"
	case "form", "form-string":
		r.part(q, v, name == "form")
	default:
		if hint, ok := unmapped[name]; ok {
			r.Warn("not-imported", r.at(v), hint, "the option --%s is not imported", name)
		}
	}
}

// escape percent-encodes a value but for references.
func escape(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		if c >= 0x80 || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-._~", c) >= 0 {
			b.WriteByte(c)
			continue
		}
		const hex = "0123456789ABCDEF"
		b.WriteString("%" + string(hex[c>>4]) + string(hex[c&15]))
	}
	return b.String()
}

// add takes the data of an option that may name a file.
func (q *request) add(text string) {
	if strings.HasPrefix(text, "@") {
		q.file = true
		return
	}
	q.data = append(q.data, text)
}

// part is a part of a multipart form.
func (r *reader) part(q *request, v word, special bool) {
	name, value, _ := strings.Cut(v.text, "=")
	f := imported.Field{Name: name, Value: r.refs.Text(value), Range: r.at(v)}
	if special {
		content, _, _ := strings.Cut(value, ";")
		switch {
		case strings.HasPrefix(value, "@"):
			f.File, f.Value = true, imported.Text("")
		case strings.HasPrefix(value, "<"):
			f.Value = imported.Text("")
			r.Warn("file-not-read", r.at(v), "", "the value of %s is in the file %s, which is not read", name, content[1:])
		default:
			f.Value = r.refs.Text(content)
		}
	}
	q.form = append(q.form, f)
}

// request makes a tool of a command and one of its URLs.
func (r *reader) request(q *request, at word) {
	u := r.refs.URL(at.text, "http")
	if u.Base == nil {
		r.Hide(at.text) // whatever it is
		r.Warn("not-imported", r.at(at), "", "this is no URL of HTTP")
		return
	}
	if r.Sensitive(u.Base) {
		r.Warn("secret-in-url", r.at(at), "write base_url by hand", "the base URL depends on a variable that looks like a secret")
		return
	}
	s := &imported.Sample{Method: q.method, Host: u.Host, Path: u.Path, Query: u.Query, Range: r.at(at)}
	auth, headers, media := r.Credential(u.Host, q.headers)
	s.Headers = headers
	service := strings.ToLower(imported.HostName(u.Host))
	of := "The user of " + imported.Whose(u.Host)
	switch {
	case q.user != nil:
		user, password, _ := strings.Cut(q.user.text, ":")
		if x := r.refs.Text(password); x.Op != specs.ExprConst {
			auth = &imported.Auth{Kind: "basic", Username: r.refs.Text(user), Value: x}
		} else {
			auth = r.Basic(of, service, user, password)
		}
	case u.Password != "" || u.User != "":
		auth = r.Basic(of, service, u.User, u.Password)
	}
	switch {
	case len(q.form) > 0:
		s.Body = imported.Body{Kind: "multipart", Fields: q.form}
	case q.file:
		if media == "" && !q.upload {
			media = "application/x-www-form-urlencoded"
			if q.isJSON {
				media = "application/json"
			}
		}
		if len(q.data) > 0 {
			r.Warn("not-imported", q.place, "", "data beside that of a file is not imported")
		}
		s.FileBody(media)
	case len(q.data) > 0 && (q.get || q.head):
		s.Query = append(s.Query, r.refs.Form(strings.Join(q.data, "&"))...)
	case len(q.data) > 0:
		s.Body = r.body(q, media)
	case media != "" && q.method != "" && q.method != "GET":
		s.Headers = append(s.Headers, imported.Field{Name: "Content-Type", Value: imported.Text(media)})
	}
	switch {
	case s.Method != "":
	case q.head:
		s.Method = "HEAD"
	case q.upload:
		s.Method = "PUT"
	case len(q.form) > 0 || q.file || len(q.data) > 0 && !q.get:
		s.Method = "POST"
	default:
		s.Method = "GET"
	}
	if !imported.IsMethod(s.Method) {
		r.Warn("not-imported", q.place, "", "the method %s is none of HTTP's", s.Method)
		return
	}
	s.Base, s.Auth = u.Base, auth
	r.Tool(s)
}

func (r *reader) body(q *request, media string) imported.Body {
	if q.isJSON {
		if media == "" {
			media = "application/json"
		}
		return r.refs.Body(media, strings.Join(q.data, ""))
	}
	text := strings.Join(q.data, "&")
	if media == "" {
		media = "application/x-www-form-urlencoded"
		if _, ok := r.refs.ParseJSON(text); ok && strings.ContainsAny(text[:1], "{[") {
			r.Warn("changed", q.place, "curl would say application/x-www-form-urlencoded, as no -H 'Content-Type: …' says otherwise", "the body is JSON and is sent as application/json")
			media = "application/json"
		}
	}
	return r.refs.Body(media, text)
}
