// Package deploy holds the files in examples/deploy to the programs that will
// read them: Docker's parser, Kubernetes' types, Helm and systemd; and to what
// mcpc really listens on. It is a module of its own, so that nobody who uses mcpc
// sees what those depend on.
package deploy
