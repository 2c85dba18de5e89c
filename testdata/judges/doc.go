// Package judges asks programs nobody here wrote what they think of mcpc: the
// official conformance suites, the Inspector, other SDKs as clients, and test
// servers that answer only to exactly the right HTTP request.
//
// It holds tests only, in a module of its own. `make judges-install` installs
// the programs, `make test-judges` runs them; a test whose program is missing
// is skipped, and fails when CI=true. Everything listens on 127.0.0.1, has a
// time limit and is stopped at the end.
package judges
