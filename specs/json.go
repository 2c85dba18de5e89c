package specs

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/mcpc-dev/mcpc/specs/diag"
)

// maxJSONDepth bounds the nesting of a JSON text.
const maxJSONDepth = 200

// ParseJSON reads a JSON text into nodes with places. Duplicate keys are kept;
// who asks for them decides. What is wrong is one diagnostic with the code syntax.
func ParseJSON(s *diag.Source) (*Node, *diag.Diagnostic) {
	d := json.NewDecoder(bytes.NewReader(s.Text))
	d.UseNumber()
	bad := func(at int64, message string) *diag.Diagnostic {
		i := min(max(int(at), 0), len(s.Text))
		return &diag.Diagnostic{Code: "syntax", Message: message, Hint: "the file is JSON (RFC 8259)", Range: diag.Range{Source: s, Start: i, End: min(i+1, len(s.Text))}}
	}
	v, err := jsonNode(d, s, 0)
	if err == nil {
		if _, end := d.Token(); end == io.EOF {
			return v, nil
		}
		return nil, bad(d.InputOffset(), "something follows the value")
	}
	// The decoder counts from its buffer; checking the whole text finds the place.
	var syntax *json.SyntaxError
	if whole := json.Unmarshal(s.Text, new(json.RawMessage)); errors.As(whole, &syntax) {
		return nil, bad(syntax.Offset-1, strings.TrimPrefix(syntax.Error(), "json: "))
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, bad(int64(len(s.Text)), "the text ends too early")
	}
	return nil, bad(d.InputOffset(), err.Error())
}

func jsonNode(d *json.Decoder, s *diag.Source, depth int) (*Node, error) {
	if depth > maxJSONDepth {
		return nil, errors.New("the text is nested too deeply")
	}
	start := int(d.InputOffset())
	t, err := d.Token()
	if err != nil {
		return nil, err
	}
	for start < len(s.Text) && strings.IndexByte(" \t\r\n,:", s.Text[start]) >= 0 {
		start++
	}
	n := &Node{Source: s, Start: int32(start)}
	switch t := t.(type) {
	case nil:
	case bool:
		n.Kind, n.Text = Bool, fmt.Sprint(t)
	case json.Number:
		n.Kind, n.Text = Number, t.String()
	case string:
		n.Kind, n.Text = String, t
	case json.Delim:
		n.Kind = Object
		if t == '[' {
			n.Kind = Array
		}
		for d.More() {
			f := Field{KeyStart: -1}
			if n.Kind == Object {
				at := int(d.InputOffset())
				k, err := d.Token()
				if err != nil {
					return nil, err
				}
				for at < len(s.Text) && s.Text[at] != '"' {
					at++
				}
				f.Key, f.KeyStart = k.(string), int32(at)
			}
			if f.Value, err = jsonNode(d, s, depth+1); err != nil {
				return nil, err
			}
			n.Fields = append(n.Fields, f)
		}
		if _, err := d.Token(); err != nil {
			return nil, err
		}
	}
	n.End = int32(d.InputOffset())
	return n, nil
}
