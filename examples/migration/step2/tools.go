// Package step2 has a rule in Go before orders are placed in the old system; the
// other tools are bridged.
package step2

import (
	"context"
	"fmt"

	"github.com/mcpc-dev/mcpc/examples/migration/ordersmcp"
	"github.com/mcpc-dev/mcpc/runtime"
)

// maxQuantity is how many pieces of one article a model may order at once.
const maxQuantity = 500

// tools are the Bridge's, but for the methods of this type.
type tools struct{ ordersmcp.Bridge }

// New returns the server of this step.
func New(o runtime.Options) (*runtime.Server, error) {
	bridge, err := ordersmcp.NewBridge(o)
	if err != nil {
		return nil, err
	}
	return ordersmcp.New(tools{bridge})
}

// PlaceOrder refuses large orders and hands the others over to the old system.
func (t tools) PlaceOrder(ctx context.Context, in *ordersmcp.PlaceOrderInput) (*ordersmcp.PlaceOrderOutput, error) {
	for _, line := range in.Body.Lines {
		if line.Quantity > maxQuantity {
			return nil, runtime.NewToolError("too-many",
				fmt.Sprintf("%d pieces of %s are more than one order may have.", line.Quantity, line.SKU),
				fmt.Sprintf("Order at most %d pieces of an article.", maxQuantity), runtime.RetryNo)
		}
	}
	return t.Bridge.PlaceOrder(ctx, in)
}
