package compiler

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path"
	"regexp"
	"strings"

	"github.com/mcpc-dev/mcpc/specs"
	"github.com/mcpc-dev/mcpc/specs/diag"
	"github.com/mcpc-dev/mcpc/specs/hclspec"
	"github.com/mcpc-dev/mcpc/specs/openapi"
)

// Format is the language of a target.
type Format string

// Formats of targets.
const (
	HCL     Format = "hcl"
	OpenAPI Format = "openapi"
)

// blockHeader matches the first line of a block of HCL: a word, labels, "{".
var blockHeader = regexp.MustCompile(`^[a-z_]+(\s+("[^"]*"|[\w-]+))*\s*\{`)

// Sniff tells the format of a target by its name, or by its text where the name
// says nothing; "" when neither does.
func Sniff(name string, text []byte) Format {
	if u, err := url.Parse(name); err == nil && specs.IsURL(name) {
		name = u.Path
	}
	base := strings.ToLower(path.Base(strings.ReplaceAll(name, `\`, "/")))
	switch {
	case strings.HasSuffix(base, ".hcl"), strings.HasSuffix(base, ".hcl.json"):
		return HCL
	case openapi.Sniff(text):
		return OpenAPI
	case strings.HasSuffix(base, ".json"), strings.HasSuffix(base, ".yaml"), strings.HasSuffix(base, ".yml"):
		return OpenAPI // a broken one; its reader says why
	}
	for line := range bytes.Lines(text) {
		line = bytes.TrimSpace(line)
		if len(line) == 0 || line[0] == '#' || bytes.HasPrefix(line, []byte("//")) || bytes.HasPrefix(line, []byte("/*")) || line[0] == '*' {
			continue
		}
		if blockHeader.Match(line) {
			return HCL
		}
		break
	}
	return ""
}

// load reads the target into a document. The document is nil when diagnostics
// say why nothing could be made of it.
func load(ctx context.Context, o Options) (*specs.Document, diag.List, map[string]string, error) {
	if o.Target == "" {
		return nil, nil, nil, errors.New("no spec was named")
	}
	var format Format
	if info, err := os.Stat(o.Target); err == nil && info.IsDir() && o.Target != "-" && !specs.IsURL(o.Target) {
		format = HCL
	} else {
		src, err := o.Reader.Read(ctx, o.Target)
		if err != nil {
			return nil, nil, nil, err
		}
		if len(bytes.TrimSpace(src.Text)) == 0 {
			return nil, diag.List{{Code: "empty-spec", Message: fmt.Sprintf("%s is empty", src.Name), Range: diag.Range{Source: src}}}, nil, nil
		}
		if format = Sniff(o.Target, src.Text); format == "" {
			return nil, diag.List{{Code: "unknown-format", Message: fmt.Sprintf("%s is neither HCL nor an OpenAPI document", src.Name),
				Hint: `an OpenAPI document says openapi: "3.…" or swagger: "2.0" at its top; HCL files end in .hcl`, Range: diag.Range{Source: src}}}, nil, nil
		}
	}
	if format == OpenAPI {
		if len(o.Vars) > 0 || len(o.VarFiles) > 0 {
			return nil, diag.List{{Code: "unknown-variable", Message: "--var and --var-file give values for the variables of an HCL spec; an OpenAPI document has none",
				Hint: "the variables of its server URLs are given with --server-var"}}, nil, nil
		}
		api, diags := openapi.Parse(ctx, o.Reader, o.Target, openapi.Options{AllowRefs: o.AllowRefs, ServerVariables: o.ServerVariables})
		if api == nil {
			return nil, diags, nil, nil
		}
		return direct(api), diags, nil, nil
	}
	secrets := map[string]string{}
	doc, diags := hclspec.Parse(ctx, o.Reader, o.Target, hclspec.Options{Vars: o.Vars, VarFiles: o.VarFiles, Secrets: secrets, Tests: o.Tests, Spec: o.Spec},
		func(location string, variables map[string]string, at diag.Range) (*specs.API, diag.List) {
			merged := map[string]string{}
			for k, v := range variables {
				merged[k] = v
			}
			for k, v := range o.ServerVariables {
				merged[k] = v
			}
			return openapi.Parse(ctx, o.Reader, location, openapi.Options{AllowRefs: o.AllowRefs, ServerVariables: merged})
		})
	if len(secrets) == 0 {
		secrets = nil
	}
	return doc, diags, secrets, nil
}

// direct is the document of an OpenAPI document given by itself: all its
// operations are tools.
func direct(api *specs.API) *specs.Document {
	api.ExposeAll = true
	if api.Name == "" {
		api.Name = slug(api.Title)
	}
	return &specs.Document{
		Server: specs.Server{
			Name: api.Name, Title: clip(oneLine(api.Title), maxTitle), Version: api.Version,
			Instructions: clip(cleanText(api.Description), maxDescription), Range: api.Range,
		},
		APIs: []*specs.API{api},
	}
}

// slug is a short name made of a title.
func slug(title string) string {
	s := strings.ToLower(readable(strings.ReplaceAll(oneLine(title), "'", "")))
	s = strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r == '_' || r == '.' || r == '-' }), "-")
	if len(s) > 40 {
		s = s[:40]
		if i := strings.LastIndexByte(s, '-'); i > 20 { // at the end of a word
			s = s[:i]
		}
		s = strings.Trim(s, "-")
	}
	if s == "" {
		return "api"
	}
	return s
}
