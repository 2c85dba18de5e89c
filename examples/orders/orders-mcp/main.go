// Command orders-mcp serves the order system with the code that was generated from
// orders.hcl. Run it with -help for its flags.
//
// mcpc wrote this file once; it is yours.
package main

import (
	"github.com/mcpc-dev/mcpc/examples/orders/ordersmcp"
	"github.com/mcpc-dev/mcpc/runtime"
	"github.com/mcpc-dev/mcpc/runtime/command"
	"os"
)

func main() {
	os.Exit(command.Main(os.Args, ordersmcp.Plan(), func(o runtime.Options) (*runtime.Server, error) {
		bridge, err := ordersmcp.NewBridge(o)
		if err != nil {
			return nil, err
		}
		// To answer a tool in Go, give New a type of yours that embeds the bridge.
		return ordersmcp.New(bridge)
	}))
}
