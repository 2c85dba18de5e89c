package codegen

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/dave/jennifer/jen"

	"github.com/mcpc-dev/mcpc/runtime/plan"
)

// The files of a package.

// schemaFolder holds the tools' schemas, which are embedded.
const schemaFolder = "schemas/"

// fewTypes is how many named types one file may hold. More are put into a file
// for each first letter.
const fewTypes = 60

// typeFiles sorts the named types into files.
func (s *server) typeFiles() map[string][]*decl {
	files := map[string][]*decl{}
	for _, d := range s.defs {
		name := "types.go"
		if len(s.defs) > fewTypes {
			name = "types_" + strings.ToLower(d.name[:1]) + ".go"
		}
		files[name] = append(files[name], d)
	}
	return files
}

func (s *server) typesFile(name string, defs []*decl) (string, []byte, error) {
	f := newGenerated(s.pkg)
	for _, d := range defs {
		about := fmt.Sprintf("is the schema %q.", d.def.Name)
		if strings.HasSuffix(d.name, "Param") && !d.def.Output {
			about = fmt.Sprintf("is the schema %q in arguments.", d.def.Name)
		}
		d.print(f, about)
	}
	b, err := render(f)
	return name, b, err
}

// toolFile has everything about one tool.
func (s *server) toolFile(t *tool) (string, []byte, error) {
	f := newGenerated(s.pkg)
	importEmbed(f)
	t.input.print(f, fmt.Sprintf("are the arguments of %s.", t.Name))
	if t.output != nil {
		t.output.print(f, fmt.Sprintf("is what %s returns.", t.Name))
	}

	text := fmt.Sprintf("%s calls %s.", t.method, t.Name)
	if t.Description != "" {
		text += "\n\n" + t.Description
	}
	if t.Origin.Deprecated {
		text += "\n\nDeprecated: the operation is, says its description."
	}
	call := qual(runtimePath, "BridgedResult").Types(id(t.input.name))
	if t.output != nil {
		call = qual(runtimePath, "Bridged").Types(id(t.input.name), id(t.output.name))
	}
	f.Add(doc(text, jen.Func().Params(id("b").Add(id("Bridge"))).Add(t.signature()).Block(
		jen.Return(call.Call(id("ctx"), dot(id("b"), "bridge"), jen.Lit(t.Name), id("in"))),
	)))

	input, output := "input"+t.method, "output"+t.method
	named := map[plan.Schema]*jen.Statement{t.Input: id(input)}
	f.Line()
	f.Add(embed(t.schemaFile("input"), input, qual(planPath, "Schema")))
	if t.Output != "" {
		named[t.Output] = id(output)
		f.Line()
		f.Add(embed(t.schemaFile("output"), output, qual(planPath, "Schema")))
	}
	f.Line()
	f.Add(doc(fmt.Sprintf("tool%s is %s %s.", t.method, t.Name, route(t.Tool)),
		jen.Var().Add(id("tool"+t.method)).Add(op("=")).Add(literal(reflect.ValueOf(*t.Tool), named, false))))
	b, err := render(f)
	return t.file + ".go", b, err
}

// schemaFile is the file of the tool's input or output schema.
func (t *tool) schemaFile(which string) string {
	return schemaFolder + strings.TrimSuffix(t.file, fileSuffix) + "." + which + ".json"
}

// route is a tool's request in words: its method and path template. Of several
// it is the first; of a composite tool, what it calls.
func route(t *plan.Tool) string {
	if len(t.Steps) > 0 {
		var names []string
		for i := range t.Steps {
			names = append(names, t.Steps[i].Tool)
		}
		return "(steps " + strings.Join(names, ", ") + ")"
	}
	all := t.Requests()
	if len(all) == 0 {
		return ""
	}
	more := ""
	if n := len(all) - 1; n > 0 {
		more = fmt.Sprintf(" or %d more", n)
	}
	return "(" + all[0].Method + " " + all[0].Template() + more + ")"
}

// signature is the method of a tool, without its receiver.
func (t *tool) signature() *jen.Statement {
	out := op("*").Add(qual(runtimePath, "Result"))
	if t.output != nil {
		out = op("*").Add(id(t.output.name))
	}
	return id(t.method).Params(id("ctx").Add(qual("context", "Context")), id("in").Add(op("*")).Add(id(t.input.name))).Params(out, jen.Error())
}

// serverFile has the package's own names.
func (s *server) serverFile() (string, []byte, error) {
	f := newGenerated(s.pkg)
	title := s.Title
	if title == "" {
		title = s.Name
	}
	packageDoc(f, fmt.Sprintf("Package %s is the MCP server %q. "+
		"It holds the plan of the server and a Go method for each of its tools.\n\n"+
		"New(bridge) serves all tools by calling the services behind them. To answer a tool with Go code instead, embed Bridge in a type of your own, "+
		"give that type the tool's method, and hand it to New.", s.pkg, title))

	if o := s.Observe; o != nil && o.OTLP != nil {
		importLinked(f, otlpPath)
	}
	if len(s.Stores) > 0 {
		importLinked(f, storePath)
	}
	// The handshake: see the constant.
	f.Add(doc("This code needs a runtime that knows it. If this line does not compile, generate the code anew with the mcpc of the runtime's version.",
		jen.Const().Add(id("_")).Add(op("=")).Add(qual(runtimePath, fmt.Sprintf("SupportsGenerated%d", plan.Format)))))
	f.Line()
	f.Add(doc("Bridge implements Tools by calling the services as the plan says. NewBridge makes one.",
		jen.Type().Add(id("Bridge")).Struct(id("bridge").Add(op("*")).Add(qual(runtimePath, "Bridge")))))
	f.Line()
	f.Add(jen.Func().Params(id("b").Add(id("Bridge"))).Add(id("embedBridge")).Params().Add(op("*")).Add(qual(runtimePath, "Bridge")).Block(jen.Return(dot(id("b"), "bridge"))))
	f.Line()
	f.Add(doc("NewBridge returns a Bridge. An error says what is wrong with the options.",
		jen.Func().Add(id("NewBridge")).Params(id("o").Add(qual(runtimePath, "Options"))).Params(id("Bridge"), jen.Error()).Block(
			jen.List(id("b"), id("err")).Add(op(":=")).Add(qual(runtimePath, "NewBridge")).Call(id("Plan").Call(), id("o")),
			jen.Return(id("Bridge").Values(id("b")), id("err")),
		)))
	f.Line()
	f.Add(doc("New returns a server of tools: of a Bridge, or of a type that embeds one. Methods of that type take the place of the Bridge's.",
		jen.Func().Add(id("New")).Params(id("tools").Add(id("Tools"))).Params(op("*").Add(qual(runtimePath, "Server")), jen.Error()).Block(
			jen.Return(dot(dot(id("tools"), "embedBridge").Call(), "Serve").Call(
				id("tools"), qual("reflect", "TypeFor").Types(id("Bridge")).Call(), jen.Func().Params().Index().Add(qual(runtimePath, "Door")).Block(jen.Return(id("doors").Call(id("tools")))),
			)),
		)))
	f.Line()
	f.Add(doc("Client returns an HTTP client that sends as a tool's calls are sent: with its credentials, to its service, within its limits. "+
		"Relative URLs are relative to the service's base URL.",
		jen.Func().Add(id("Client")).Params(id("b").Add(id("Bridge")), id("tool").String()).Params(op("*").Add(qual("net/http", "Client")), jen.Error()).Block(
			jen.Return(dot(dot(id("b"), "bridge"), "Client").Call(id("tool"))),
		)))
	f.Line()
	shown := *s.Server
	shown.Tools = nil
	f.Add(doc("Plan returns what the server does. It must not be changed.",
		jen.Func().Add(id("Plan")).Params().Add(op("*")).Add(qual(planPath, "Server")).BlockFunc(func(g *jen.Group) {
			if len(s.tools) == 0 {
				g.Return(literal(reflect.ValueOf(&shown), nil, false))
				return
			}
			g.Add(id("p")).Add(op(":=")).Add(literal(reflect.ValueOf(&shown), nil, false))
			list := make([]jen.Code, len(s.tools))
			for i, t := range s.tools {
				list[i] = id("tool" + t.method)
			}
			g.Add(dot(id("p"), "Tools")).Add(op("=")).Index().Add(qual(planPath, "Tool")).Add(braces(list, true))
			g.Return(id("p"))
		})))
	b, err := render(f)
	return "server.go", b, err
}

// toolsFile lists the tools: as an interface, and as doors for the runtime.
func (s *server) toolsFile() (string, []byte, error) {
	f := newGenerated(s.pkg)
	f.Add(doc("Tools has a method for each tool. Types that implement it embed Bridge, so that they stay complete when a tool is added. "+
		"An error that is a *runtime.ToolError is shown to the model; of any other it learns that the call failed.",
		jen.Type().Add(id("Tools")).InterfaceFunc(func(g *jen.Group) {
			for _, t := range s.tools {
				g.Add(doc(fmt.Sprintf("%s is the tool %s.", t.method, t.Name), t.signature()))
			}
			g.Line()
			g.Add(id("embedBridge").Params().Add(op("*")).Add(qual(runtimePath, "Bridge")))
		})))
	f.Line()
	f.Add(doc("doors says which method of tools stands for which tool.",
		jen.Func().Add(id("doors")).Params(id("t").Add(id("Tools"))).Index().Add(qual(runtimePath, "Door")).Block(
			jen.Return(jen.Index().Add(qual(runtimePath, "Door")).Add(braces(s.doors(), true))),
		)))
	b, err := render(f)
	return "tools.go", b, err
}

func (s *server) doors() []jen.Code {
	list := make([]jen.Code, len(s.tools))
	for i, t := range s.tools {
		f := "Native"
		if t.output == nil {
			f = "NativeResult"
		}
		list[i] = jen.Values(id("Tool").Add(op(":")).Lit(t.Name), id("Method").Add(op(":")).Lit(t.method), id("Handler").Add(op(":")).Add(qual(runtimePath, f)).Call(dot(id("t"), t.method)))
	}
	return list
}
