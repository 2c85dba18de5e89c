// Package step3 keeps orders in a store of its own, beside the old system: what
// is placed goes into both, and what is read comes from the store when it is
// there.
package step3

import (
	"context"
	"fmt"

	"github.com/mcpc-dev/mcpc/examples/migration/ordersmcp"
	"github.com/mcpc-dev/mcpc/examples/migration/store"
	"github.com/mcpc-dev/mcpc/runtime"
)

// maxQuantity is how many pieces of one article a model may order at once.
const maxQuantity = 500

// tools are the Bridge's, but for the methods of this type.
type tools struct {
	ordersmcp.Bridge
	orders *store.Orders
}

// New returns the server of this step.
func New(o runtime.Options) (*runtime.Server, error) {
	bridge, err := ordersmcp.NewBridge(o)
	if err != nil {
		return nil, err
	}
	orders, err := store.Open()
	if err != nil {
		return nil, err
	}
	return ordersmcp.New(tools{bridge, orders})
}

// PlaceOrder refuses large orders. The old system places the others and gives
// them their numbers; the store gets a copy.
func (t tools) PlaceOrder(ctx context.Context, in *ordersmcp.PlaceOrderInput) (*ordersmcp.PlaceOrderOutput, error) {
	for _, line := range in.Body.Lines {
		if line.Quantity > maxQuantity {
			return nil, runtime.NewToolError("too-many",
				fmt.Sprintf("%d pieces of %s are more than one order may have.", line.Quantity, line.SKU),
				fmt.Sprintf("Order at most %d pieces of an article.", maxQuantity), runtime.RetryNo)
		}
	}
	order, err := t.Bridge.PlaceOrder(ctx, in)
	if err != nil {
		return nil, err
	}
	t.orders.Put(*order)
	return order, nil
}

// GetOrder reads the store. Orders that it does not have, the old system may.
func (t tools) GetOrder(ctx context.Context, in *ordersmcp.GetOrderInput) (*ordersmcp.GetOrderOutput, error) {
	if order, ok := t.orders.Get(in.ID); ok {
		return &order, nil
	}
	return t.Bridge.GetOrder(ctx, in)
}
