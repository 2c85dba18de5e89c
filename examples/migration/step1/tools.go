// Package step1 bridges all tools to the old system.
package step1

import (
	"github.com/mcpc-dev/mcpc/examples/migration/ordersmcp"
	"github.com/mcpc-dev/mcpc/runtime"
)

// New returns the server of this step.
func New(o runtime.Options) (*runtime.Server, error) {
	bridge, err := ordersmcp.NewBridge(o)
	if err != nil {
		return nil, err
	}
	return ordersmcp.New(bridge)
}
