// The judges are a module of their own, so that nobody who uses mcpc sees what
// they depend on.
module github.com/mcpc-dev/mcpc/testdata/judges

go 1.26.7

replace github.com/mcpc-dev/mcpc => ../..

require (
	github.com/go-jose/go-jose/v4 v4.1.9
	github.com/mcpc-dev/mcpc v0.0.0-00010101000000-000000000000
	github.com/modelcontextprotocol/go-sdk v1.8.0
	github.com/prometheus/common v0.72.1
	github.com/prometheus/prometheus v0.316.0
	go.opentelemetry.io/collector/component/componenttest v0.165.0
	go.opentelemetry.io/collector/confmap v1.71.0
	go.opentelemetry.io/collector/consumer/consumertest v0.165.0
	go.opentelemetry.io/collector/pdata v1.71.0
	go.opentelemetry.io/collector/receiver/otlpreceiver v0.165.0
	go.opentelemetry.io/collector/receiver/receivertest v0.165.0
	github.com/zitadel/oidc/v3 v3.52.0
)
