package response

import (
	"bytes"
	"strings"

	"github.com/mcpc-dev/mcpc/runtime/internal/result"
	"github.com/mcpc-dev/mcpc/runtime/internal/upstream"
)

// maxDetail bounds what is shown of the reason and of the detail of a fault, in
// bytes.
const maxDetail = 1 << 10

// soapBody is an element with what the body of a SOAP envelope (1.1 or 1.2) holds
// in place of the document; nil when the document is none. The header is for
// machines and dropped.
func soapBody(root *element) *element {
	if root.name.local() != "Envelope" {
		return nil
	}
	for k := root.first; k != nil; k = k.next {
		if k.name.local() == "Body" {
			return &element{name: k.name, first: k.first, last: k.last, envelope: true}
		}
	}
	return nil
}

// local is a name without a prefix of the plan.
func (n *xmlName) local() string { return n.text[strings.IndexByte(n.text, ':')+1:] }

// part is the first child of a local name, or nil; of nil it is nil.
func (e *element) part(local string) *element {
	if e == nil {
		return nil
	}
	for k := e.first; k != nil; k = k.next {
		if k.name.local() == local {
			return k
		}
	}
	return nil
}

// said is the text of an element on one line; of nil it is "".
func (e *element) said() string {
	if e == nil {
		return ""
	}
	return strings.Join(strings.Fields(string(e.text)), " ")
}

// fault is a SOAP fault.
type fault struct {
	code   string // without prefixes; subcodes follow, "Sender.InvalidOrder"
	reason string
	detail string // its JSON, or its text
}

// faultOf reads the fault in what a SOAP body holds; nil when it holds none.
func faultOf(doc *element) *fault {
	f := doc.part("Fault")
	if !doc.envelope || f == nil {
		return nil
	}
	out := &fault{code: withoutPrefix(f.part("faultcode").said()), reason: f.part("faultstring").said()}
	detail := f.part("detail")
	if f.part("Code") != nil { // SOAP 1.2
		var codes []string
		for c := f.part("Code"); c != nil && len(codes) < 8; c = c.part("Subcode") {
			codes = append(codes, withoutPrefix(c.part("Value").said()))
		}
		out.code = strings.Join(codes, ".")
		reason := f.part("Reason").part("Text")
		for k := reason; k != nil; k = k.next {
			if len(k.attrs) > 0 && bytes.HasPrefix(k.attrs[0].value, []byte("en")) {
				reason = k
				break
			}
		}
		out.reason = reason.said()
		detail = f.part("Detail")
	}
	switch {
	case detail == nil:
	case detail.first == nil:
		out.detail = detail.said()
	default:
		var w xmlWriter
		w.plain(detail)
		out.detail = string(withoutTraces(w.out))
	}
	return out
}

func withoutPrefix(code string) string { return code[strings.LastIndexByte(code, ':')+1:] }

// sender tells whether the fault says that the request is what is wrong.
func (f *fault) sender() bool {
	code, _, _ := strings.Cut(f.code, ".")
	return code == "Client" || code == "Sender" || code == "MustUnderstand" || code == "VersionMismatch"
}

// readFault reads the fault of a SOAP answer of any status; nil when there is
// none.
func (d *Decoder) readFault(a *upstream.Answer) *fault {
	if !d.soap || len(a.Body) == 0 {
		return nil
	}
	b := d.body(a)
	if b.bytes = b.utf8(xmlEncoding(b.bytes)); !bytes.Contains(b.bytes, []byte("Fault")) {
		return nil // so most documents are read once
	}
	b.charset = "utf-8"
	doc, err := d.document(b)
	if err != nil {
		return nil
	}
	return faultOf(doc)
}

// fault is the result of a SOAP fault. SOAP 1.1 over HTTP sends status 500 with
// all of them, so the code of the fault says what can be done; but the author
// has the last word.
func (d *Decoder) fault(b *body, f *fault) *result.Result {
	a := b.answer
	message := "SOAP fault from " + d.operation
	if a.Status >= 300 {
		message += " (HTTP " + status(a.Status) + ")"
	}
	next, again := "If it stays so, tell the operator of this server.", result.RetryMay
	switch {
	case f.sender():
		next, again = "Correct the arguments and call again.", result.RetryNo
	case !d.safe:
		again = result.RetryCheck
	}
	text, next, again := d.advised(b, next, again)
	if text != "" {
		return result.Error("soap-fault", a.Redact(message+".\n"+text), next, again)
	}
	// First the whole, then a part: half a credential is one, too.
	said := result.Shorten(a.Redact(strings.TrimPrefix(f.code+": "+f.reason, ": ")), maxDetail)
	if said = strings.TrimSuffix(said, ": "); said == "" {
		said = "no reason is given"
	}
	message += ": " + said
	if f.detail != "" {
		message += "\ndetail: " + result.Shorten(a.Redact(f.detail), maxDetail)
	}
	return result.Error("soap-fault", message, next, again)
}
