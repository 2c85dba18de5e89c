package hclspec

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/mcpc-dev/mcpc/specs"
	"github.com/mcpc-dev/mcpc/specs/diag"
)

// loginWithout is what a request of a session cannot have: a choice among
// requests, and files.
var loginWithout = map[string]bool{"when": true, "multipart": true, "bytes": true}

// passwordName is how a member of a login is called whose value is a secret.
var passwordName = regexp.MustCompile(`(?i)passw|^pass$|pwd|secret|passphrase|^pin$`)

func sessionBlock() *block {
	return &block{
		name: "session", once: true,
		doc: "Logs in like a person at a web page, and sends the session that comes of it: the cookies of the answer, or values taken from it. Paths are below the `base_url` of the API. " +
			"Cookies go where the service said (host, path, encrypted or not), what it changes in later answers is kept, and none goes to another host.\n\n" +
			"There is one login at a time. One that is refused is not tried again for 30 seconds, after each further one for twice as long, up to half an hour, as long as the secrets stay the same: services lock accounts. " +
			"A session that has ended is replaced once in a call, and the call is made again when it was refused with 401, when its method or tool may be repeated, or when `repeat` allows it. " +
			"Otherwise the call fails with the code `credential`, and the next one has a new session.",
		example: `auth "intranet" {
  session {
    page = "/login"
    request "POST" "/login" {
      form = {
        user     = env("INTRANET_USER")
        password = env("INTRANET_PASSWORD")
        _csrf    = page.fields._csrf
      }
    }
    success = response.status == 302 && response.headers["location"] != "/login?error"
    cookies = ["JSESSIONID"]
    ttl     = "30m"
  }
}

api "intranet" {
  base_url = "https://intranet.example"
  auth     = auth.intranet
}`,
		attrs: []attr{
			{name: "base_url", kind: textKind, standard: "that of the API", doc: "where the paths of the session begin", example: `base_url = "https://intranet.example"`, check: checkBaseURL,
				set: into(func(t *specs.Session, s *setting) { t.BaseURL = s.text })},
			{name: "page", kind: textKind, standard: "none", doc: "path of a page that is read before the login. The request knows of it: `page.fields`, the names and values of the inputs of its form; `page.meta`, the same of its meta elements; `page.cookies`, `page.status`, `page.headers` and `page.body`", example: `page = "/login"`, check: checkLoginPath,
				set: into(func(t *specs.Session, s *setting) { t.Page = s.text })},
			{name: "success", kind: exprKind, phase: sessionPhase, standard: "see there", doc: "whether the answer to the login is a session. `response.body` is decoded JSON, or text. Without it every answer is that has no error status, redirects to neither `page` nor the path of the request, and is no HTML with a field for a password", example: `success = response.status == 302`,
				set: into(func(t *specs.Session, s *setting) { t.Success = s.expr })},
			{name: "cookies", kind: textsKind, standard: "all", doc: "names of the cookies that are kept", example: `cookies = ["JSESSIONID"]`, check: checkCookieName,
				set: into(func(t *specs.Session, s *setting) { t.Cookies = s.texts })},
			{name: "headers", kind: entriesKind, phase: sessionPhase, doc: "headers made of the answer to the login; they are sent with every request. Without a value there is no session", example: `headers = { "X-Auth-Token" = response.body.token }`,
				set: func(p *parser, target any, s *setting) {
					p.checkHeaders(s.entries)
					target.(*specs.Session).Headers = s.entries
				}},
			{name: "query", kind: entriesKind, phase: sessionPhase, doc: "query parameters, in the same way", example: `query = { sid = response.body.sid }`,
				set: into(func(t *specs.Session, s *setting) { t.Query = s.entries })},
			{name: "csrf", kind: settingsKind, doc: "a cookie whose value the service wants in a header too", example: `csrf = { cookie = "csrftoken", header = "X-CSRFToken" }`, set: setMembers,
				members: []attr{
					{name: "cookie", kind: textKind, required: true, doc: "its name", example: `cookie = "csrftoken"`, check: checkCookieName,
						set: into(func(t *specs.Session, s *setting) { t.CSRFCookie = s.text })},
					{name: "header", kind: textKind, required: true, doc: "the header", example: `header = "X-CSRFToken"`, check: checkSignatureHeader,
						set: into(func(t *specs.Session, s *setting) { t.CSRFHeader = s.text })},
				}},
			{name: "ended", kind: exprKind, phase: sessionPhase, standard: "see there", doc: "whether an answer to a call says that there is no session any more. Redirects are looked at before they are followed. Without it an answer does that has the status 401, redirects to `page` or to the path of the request, or is HTML with a field for a password", example: `ended = response.status == 403`,
				set: into(func(t *specs.Session, s *setting) { t.Ended = s.expr })},
			{name: "repeat", kind: textKind, standard: "`\"safe\"`", words: []string{"safe", "any"}, doc: "which calls are made again with a new session when the answer that ended the old one was not 401. `\"any\"` promises that such an answer means that nothing was done", example: `repeat = "any"`,
				set: into(func(t *specs.Session, s *setting) { t.Repeat = s.text })},
			{name: "scope", kind: textKind, standard: "`\"caller\"`", words: []string{"caller", "all"}, doc: "whether each caller has a session of his own, or all have one. A service that remembers something in a session mixes up callers who share one", example: `scope = "all"`,
				set: into(func(t *specs.Session, s *setting) { t.Scope = s.text })},
			{name: "ttl", kind: durationKind, standard: "until it ends", doc: "after which there is a new login, so that no call meets a session that ends", example: `ttl = "30m"`,
				set: into(func(t *specs.Session, s *setting) { t.TTL = s.text })},
		},
		inner: []*block{
			loginRequest("request", loginPhase, "The login. Its values may be secrets: `env()`, `file()`, `exec()` and `vault()` in it are references, read when there is a login.", func(t *specs.Session, r *specs.Request) { t.Login = r }),
			loginRequest("logout", staticPhase, "The logout, which is sent for every session when the server ends.", func(t *specs.Session, r *specs.Request) { t.Logout = r }),
		},
		open: func(_ *parser, h *head, parent any) any {
			t := parent.(*authTarget)
			t.kinds = append(t.kinds, "session")
			t.cred.Kind = "session"
			t.cred.Session = &specs.Session{Range: h.rng}
			return t.cred.Session
		},
		close: func(p *parser, h *head, parent, target any) {
			s := target.(*specs.Session)
			if s.Login == nil && !h.broken && !p.broken[s] {
				p.add(diag.Diagnostic{Code: "missing-block", Message: "session does not say how to log in", Hint: `add request "POST" "/login" { form = { user = env("USER"), password = env("PASSWORD") } }`, Range: h.rng})
			}
			if s.Login == nil {
				return
			}
			uses := false
			for _, x := range requestExprs(s.Login) {
				uses = uses || usesVar(x, "page")
			}
			if uses && s.Page == nil && !h.failed {
				p.add(diag.Diagnostic{Code: "missing-attribute", Message: "the login takes something from a page, and there is none", Hint: `add page = "/login"`, Range: s.Login.Range})
			}
		},
	}
}

// usesVar tells whether an expression speaks of a value of its phase.
func usesVar(x *specs.Expr, name string) bool {
	if x.Op == specs.ExprVar && x.Name == name {
		return true
	}
	for _, a := range x.Args {
		if usesVar(a, name) {
			return true
		}
	}
	return false
}

// loginRequest is the request block as a session has it.
func loginRequest(name string, at phase, doc string, attach func(*specs.Session, *specs.Request)) *block {
	b := requestBlock()
	b.name, b.once, b.doc = name, true, doc
	b.example = sessionExample(name)
	var rephase func(b *block)
	rephase = func(b *block) {
		kept := b.attrs[:0]
		for _, a := range b.attrs {
			if loginWithout[a.name] {
				continue
			}
			if a.phase == callPhase {
				a.phase, a.secrets = at, true
			}
			if e, ok := loginExamples[a.name]; ok {
				a.example = e
			}
			kept = append(kept, a)
		}
		b.attrs = kept
		for _, inner := range b.inner {
			rephase(inner)
		}
	}
	rephase(b)
	b.open = func(p *parser, h *head, parent any) any {
		r := &specs.Request{Method: h.labels[0].Value, Path: h.labels[1].Value, PathAt: h.labels[1].Range, Range: h.rng}
		attach(parent.(*specs.Session), r)
		p.checkMethod(r, h.labels[0].Range)
		return r
	}
	b.close = func(p *parser, h *head, parent, target any) {
		r := target.(*specs.Request)
		p.closeRequest(h, r)
		if i := strings.IndexByte(r.Path, '{'); i >= 0 && !p.broken[r] {
			p.add(diag.Diagnostic{Code: "invalid-path", Message: "a login has no arguments that could stand in its path", Hint: "write the path in full", Range: pathRange(r, i, i+1)})
		}
		p.broken[parent] = p.broken[parent] || p.broken[r]
		for _, list := range [][]specs.NamedExpr{r.Headers, objectEntries(r.JSON)} { // the others were looked at
			for _, e := range list {
				p.checkLiteral(e, `use env("NAME"), file("PATH") or a variable with sensitive = true`)
			}
		}
	}
	return b
}

// objectEntries are the members of an object, as far as they are known.
func objectEntries(x *specs.Expr) (list []specs.NamedExpr) {
	if x == nil {
		return nil
	}
	pairs, ok := members(x)
	for i := 0; ok && i+1 < len(pairs); i += 2 {
		list = append(list, specs.NamedExpr{Name: pairs[i].Value.Text, Value: pairs[i+1], Range: pairs[i].Range})
	}
	return list
}

// loginExamples are those of a tool's request without arguments.
var loginExamples = map[string]string{
	"query": `query = { realm = "staff" }`, "headers": `headers = { "X-Requested-With" = "XMLHttpRequest" }`, "cookies": `cookies = { lang = "en" }`,
	"json": `json = { user = env("ERP_USER"), password = env("ERP_PASSWORD") }`, "form": `form = { user = env("ERP_USER"), password = env("ERP_PASSWORD") }`,
	"xml": `xml = "<login><user>${env("ERP_USER")}</user></login>"`, "text": `text = env("ERP_LOGIN")`, "header": `header = "<Realm xmlns=\"urn:erp\">staff</Realm>"`,
}

func sessionExample(name string) string {
	logout := ""
	if name == "logout" {
		logout = "\n    logout \"DELETE\" \"/session\" {}"
	}
	return `auth "erp" {
  session {
    request "POST" "/session" {
      json = { user = env("ERP_USER"), password = env("ERP_PASSWORD") }
    }
    headers = { "X-Auth-Token" = response.body.token }` + logout + `
  }
}

api "erp" {
  base_url = "https://erp.example/api"
  auth     = auth.erp
}`
}

func checkLoginPath(s string) (problem, advice string) {
	if !strings.HasPrefix(s, "/") || strings.HasPrefix(s, "//") || strings.ContainsAny(s, "{}#") || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		return fmt.Sprintf("cannot be %q", s), `write a path, with its query if it has one: "/login"`
	}
	return "", ""
}

func checkCookieName(s string) (problem, advice string) {
	if !isToken(s) {
		return fmt.Sprintf("cannot hold %q", s), "names of cookies are letters, digits, - and _"
	}
	return "", ""
}
