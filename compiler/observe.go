package compiler

import (
	"slices"
	"strings"

	"github.com/mcpc-dev/mcpc/runtime/plan"
	"github.com/mcpc-dev/mcpc/specs"
)

// observe lowers what is recorded.
func (c *compilation) observe() *plan.Observe {
	o := c.doc.Observe
	if o == nil {
		return nil
	}
	on := func(f *specs.Flag) bool { return f != nil && f.Value }
	out := &plan.Observe{Audit: o.Audit.Str(), Admin: o.Admin.Str(), Arguments: on(o.Arguments), Correlation: on(o.Correlation), Names: values(o.Names), Patterns: values(o.Patterns)}
	if strings.HasPrefix(out.Admin, ":") {
		out.Admin = "127.0.0.1" + out.Admin
	}
	if o.Log != nil {
		out.Log = &plan.CallLog{Level: o.Log.Level.Str(), Text: o.Log.Format.Str() == "text", File: o.Log.File.Str()}
		if out.Log.Level == "" {
			out.Log.Level = "info"
		}
	}
	out.OTLP = c.otlp(o.OTLP)
	return out
}

// otlp lowers where telemetry is sent.
func (c *compilation) otlp(o *specs.OTLP) *plan.OTLP {
	if o == nil {
		return nil
	}
	unlessOff := func(f *specs.Flag) bool { return f == nil || f.Value }
	out := &plan.OTLP{
		Endpoint: strings.TrimRight(o.Endpoint.Str(), "/"), Traces: unlessOff(o.Traces), Metrics: unlessOff(o.Metrics),
		Sample: o.Sample.Str(), Interval: c.duration(o.Interval, 0), CA: o.CA.Str(),
	}
	for _, h := range o.Headers {
		out.Headers = append(out.Headers, plan.StepArg{Name: h.Name, Value: lowerExpr(h.Value, noArguments(&c.diags, "a header of otlp"))})
	}
	for _, a := range o.Attributes {
		out.Attributes = append(out.Attributes, plan.Attribute{Name: a.Name.Value, Value: a.Value.Value})
	}
	return out
}

// sensitiveOf are the [sensitiveNames] of arguments, where calls are recorded.
func (c *compilation) sensitiveOf(root *schema) []string {
	if c.doc.Observe == nil {
		return nil
	}
	return sensitiveNames(root)
}

// sensitiveNames are the names of properties, at any depth, whose schema says that
// their values are secret. The whole schema counts, not what of it is shown.
func sensitiveNames(root *schema) []string {
	var names []string
	seen := map[*schema]bool{}
	var visit func(s *schema)
	visit = func(s *schema) {
		if s == nil || seen[s] {
			return
		}
		seen[s] = true
		if s.ref != nil {
			visit(s.ref.schema())
		}
		for _, p := range s.props {
			if sensitive(p.schema, 0) && !slices.Contains(names, p.key) {
				names = append(names, p.key)
			}
			visit(p.schema)
		}
		for i := range s.subs {
			for _, one := range s.subs[i].list {
				visit(one)
			}
		}
	}
	visit(root)
	slices.Sort(names)
	return names
}

// sensitive tells whether a schema, what it refers to, or one that it combines says
// that the value is secret.
func sensitive(s *schema, depth int) bool {
	if s == nil || depth > 8 {
		return false
	}
	if s.sensitive || s.word("format") == `"password"` {
		return true
	}
	if s.ref != nil && sensitive(s.ref.schema(), depth+1) {
		return true
	}
	for i := range s.subs {
		switch s.subs[i].key {
		case "allOf", "anyOf", "oneOf", "items", "prefixItems":
			if slices.ContainsFunc(s.subs[i].list, func(one *schema) bool { return sensitive(one, depth+1) }) {
				return true
			}
		}
	}
	return false
}
