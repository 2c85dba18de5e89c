package command

import (
	gort "runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"
	"time"
)

// TuneMemory lets the collector run less often than Go's default, and gives memory
// back when there is little to do, unless GOGC says otherwise: what lives is the
// plan, a few megabytes, and a busy server would collect every few hundred calls.
func TuneMemory(getenv func(string) string) {
	if getenv("GOGC") == "" {
		debug.SetGCPercent(400)
		giving.Do(func() { go giveBack() })
	}
}

var giving sync.Once

const (
	lookEvery = 5 * time.Second
	worthIt   = 32 << 20 // bytes
)

// giveBack gives the memory of a burst back to the system once it is over: no
// garbage was collected for a while, and much of what is held is unused. By itself
// Go would do so minutes later, if the heap did not grow again.
func giveBack() {
	var before uint64
	for range time.Tick(lookEvery) {
		cycles, unused := unusedMemory()
		if cycles == before && unused > worthIt {
			gort.GC() // what pools hold goes with the second collection only
			debug.FreeOSMemory()
			cycles, _ = unusedMemory()
		}
		before = cycles
	}
}

// unusedMemory is how often garbage was collected so far, and how many bytes are
// held that nothing is in, or nothing but garbage.
func unusedMemory() (cycles, bytes uint64) {
	read := []metrics.Sample{
		{Name: "/gc/cycles/total:gc-cycles"},
		{Name: "/gc/heap/live:bytes"}, // after the last collection
		{Name: "/memory/classes/heap/objects:bytes"},
		{Name: "/memory/classes/heap/unused:bytes"},
		{Name: "/memory/classes/heap/free:bytes"},
	}
	metrics.Read(read)
	held := read[2].Value.Uint64() + read[3].Value.Uint64() + read[4].Value.Uint64()
	return read[0].Value.Uint64(), held - min(held, read[1].Value.Uint64())
}
