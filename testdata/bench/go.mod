// Measurements are a module of their own, so that nobody who uses mcpc builds
// them by accident. They run the mcpc command and import nothing of it.
module github.com/mcpc-dev/mcpc/testdata/bench

go 1.26.0
