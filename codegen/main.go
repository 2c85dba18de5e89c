package codegen

import (
	"fmt"
	"go/token"

	"github.com/dave/jennifer/jen"
)

// Main returns the main program of a generated server, to be written once: from
// then on it is its author's. importPath is the package's.
func Main(importPath, pkg string) ([]byte, error) {
	if !token.IsIdentifier(pkg) {
		return nil, fmt.Errorf("%q cannot be the name of the package", pkg)
	}
	f := jen.NewFile("main")
	f.ImportName(runtimePath, "runtime")
	f.ImportName(commandPath, "command")
	f.ImportName(importPath, pkg)
	f.PackageComment("// Command " + printable(pkg) + " serves the tools of package " + printable(pkg) + ". Run it with -help for its flags.\n//\n// mcpc wrote this file once; it is yours.")
	f.Add(jen.Func().Add(id("main")).Params().Block(
		jen.Qual("os", "Exit").Call(jen.Qual(commandPath, "Main").Call(
			jen.Qual("os", "Args"), jen.Qual(importPath, "Plan").Call(),
			jen.Func().Params(id("o").Qual(runtimePath, "Options")).Params(jen.Op("*").Qual(runtimePath, "Server"), jen.Error()).Block(
				jen.List(id("bridge"), id("err")).Op(":=").Qual(importPath, "NewBridge").Call(id("o")),
				jen.If(id("err").Op("!=").Nil()).Block(jen.Return(jen.Nil(), id("err"))),
				jen.Add(comment("To answer a tool in Go, give New a type of yours that embeds the bridge.")),
				jen.Return(jen.Qual(importPath, "New").Call(id("bridge"))),
			),
		)),
	))
	return render(f)
}
