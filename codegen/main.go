package codegen

import (
	"fmt"
	"go/token"
	"slices"

	"github.com/dave/jennifer/jen"
)

// Main returns the main program of a generated server, to be written once: from
// then on it is its author's. importPath is the package's.
func Main(importPath, pkg string) ([]byte, error) {
	if !token.IsIdentifier(pkg) {
		return nil, fmt.Errorf("%q cannot be the name of the package", pkg)
	}
	f := newFile("main")
	name := pkg
	if slices.Contains([]string{"bridge", "err", "o"}, name) { // as variables below are called
		name += "mcp"
	}
	importAs(f, importPath, name)
	packageDoc(f, fmt.Sprintf("Command %s serves the tools of package %s. Run it with -help for its flags.\n\nmcpc wrote this file once; it is yours.", pkg, pkg))
	f.Add(jen.Func().Add(id("main")).Params().Block(
		qual("os", "Exit").Call(qual(commandPath, "Main").Call(
			qual("os", "Args"), qual(importPath, "Plan").Call(),
			jen.Func().Params(id("o").Add(qual(runtimePath, "Options"))).Params(op("*").Add(qual(runtimePath, "Server")), jen.Error()).Block(
				jen.List(id("bridge"), id("err")).Add(op(":=")).Add(qual(importPath, "NewBridge")).Call(id("o")),
				jen.If(id("err").Add(op("!=")).Nil()).Block(jen.Return(jen.Nil(), id("err"))),
				comment("To answer a tool in Go, give New a type of yours that embeds the bridge."),
				jen.Return(qual(importPath, "New").Call(id("bridge"))),
			),
		)),
	))
	return render(f)
}
