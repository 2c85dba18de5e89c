// Command migration serves an order system at one of four steps on its way from
// an old service to Go code; see README.md.
//
//	go run ./examples/migration STEP [flags]
package main

//go:generate go run ../../cmd/mcpc generate orders.hcl -o ordersmcp

import (
	"fmt"
	"os"
	"strconv"

	"github.com/mcpc-dev/mcpc/examples/migration/ordersmcp"
	"github.com/mcpc-dev/mcpc/examples/migration/step1"
	"github.com/mcpc-dev/mcpc/examples/migration/step2"
	"github.com/mcpc-dev/mcpc/examples/migration/step3"
	"github.com/mcpc-dev/mcpc/examples/migration/step4"
	"github.com/mcpc-dev/mcpc/runtime"
	"github.com/mcpc-dev/mcpc/runtime/command"
)

// steps make the server of each step.
var steps = []func(runtime.Options) (*runtime.Server, error){step1.New, step2.New, step3.New, step4.New}

func main() { os.Exit(run(os.Args)) }

func run(args []string) int {
	step := 0
	if len(args) > 1 {
		step, _ = strconv.Atoi(args[1]) // what is no number is no step
	}
	if step < 1 || step > len(steps) {
		fmt.Fprintf(os.Stderr, "usage: migration STEP [flags], with a STEP from 1 to %d\n", len(steps))
		return 2
	}
	name := "step" + strconv.Itoa(step)
	return command.Main(append([]string{name}, args[2:]...), ordersmcp.Plan(), func(o runtime.Options) (*runtime.Server, error) {
		o.Middleware = append(o.Middleware, timed(o.Logger))
		return steps[step-1](o)
	})
}
