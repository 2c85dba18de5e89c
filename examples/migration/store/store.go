// Package store is where orders will be when the old system has gone: in this
// example a map, filled with what was exported from there.
package store

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"sync"

	"github.com/mcpc-dev/mcpc/examples/migration/ordersmcp"
)

//go:embed export.json
var export []byte

// Orders are orders by number. They are safe for concurrent use.
type Orders struct {
	mu   sync.RWMutex
	byID map[int64]ordersmcp.Order
}

// Open returns the exported orders. An error says that the export is broken.
func Open() (*Orders, error) {
	var exported []ordersmcp.Order
	if err := json.Unmarshal(export, &exported); err != nil {
		return nil, fmt.Errorf("read the exported orders: %w", err)
	}
	s := &Orders{byID: map[int64]ordersmcp.Order{}}
	for _, o := range exported {
		s.byID[o.ID] = o
	}
	return s, nil
}

// Get returns the order of a number, and whether there is one.
func (s *Orders) Get(id int64) (ordersmcp.Order, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	o, ok := s.byID[id]
	return o, ok
}

// Put adds an order or replaces the one of its number.
func (s *Orders) Put(o ordersmcp.Order) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.byID[o.ID] = o
}
