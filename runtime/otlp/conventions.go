package otlp

import "go.opentelemetry.io/otel/attribute"

// Names of OpenTelemetry's semantic conventions, spelled out here: those for MCP and
// for generative AI are in development and are renamed from one release to the
// next, and what dashboards ask for must not change with a library.
//
// MCP: https://github.com/open-telemetry/semantic-conventions-genai, as of 2026-11.
// HTTP: semantic conventions 1.44, stable.
const (
	methodName      = attribute.Key("mcp.method.name")
	protocolVersion = attribute.Key("mcp.protocol.version")
	requestID       = attribute.Key("jsonrpc.request.id")
	rpcStatus       = attribute.Key("rpc.response.status_code")
	operationName   = attribute.Key("gen_ai.operation.name")
	toolName        = attribute.Key("gen_ai.tool.name")
	promptName      = attribute.Key("gen_ai.prompt.name")
	errorType       = attribute.Key("error.type")
	transport       = attribute.Key("network.transport")
	networkProtocol = attribute.Key("network.protocol.name")
	networkVersion  = attribute.Key("network.protocol.version")
	httpMethod      = attribute.Key("http.request.method")
	httpOriginal    = attribute.Key("http.request.method_original")
	httpStatus      = attribute.Key("http.response.status_code")
	httpResend      = attribute.Key("http.request.resend_count")
	urlScheme       = attribute.Key("url.scheme")
	urlTemplate     = attribute.Key("url.template")
	serverAddress   = attribute.Key("server.address")
	serverPort      = attribute.Key("server.port")
	serviceName     = attribute.Key("service.name")
	serviceVersion  = attribute.Key("service.version")
)

// Names of our own.
const (
	outcome      = attribute.Key("mcpc.outcome") // ok, or a code of runtime/ERRORS.md
	upstreamName = attribute.Key("mcpc.upstream")
	resourceName = attribute.Key("mcpc.resource.name")
	stepOf       = attribute.Key("mcpc.step_of")
	attempts     = attribute.Key("mcpc.attempts")
	cached       = attribute.Key("mcpc.cached")
	stale        = attribute.Key("mcpc.stale")
	native       = attribute.Key("mcpc.native")
	policyRule   = attribute.Key("mcpc.policy.rule")
	limitName    = attribute.Key("mcpc.limit")
	refusal      = attribute.Key("mcpc.refusal.reason")
)

// Values.
const (
	executeTool = "execute_tool"
	toolError   = "tool_error" // a result with isError
	otherValue  = "_OTHER"
)

// Metrics.
const (
	operationDuration = "mcp.server.operation.duration"
	sessionDuration   = "mcp.server.session.duration"
	clientDuration    = "http.client.request.duration"
	refusals          = "mcpc.refusals"
)

// Buckets in seconds, as the conventions have them.
var (
	operationBuckets = []float64{0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300}
	clientBuckets    = []float64{0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10}
)

// httpMethods are those of the HTTP conventions; others are "_OTHER".
var httpMethods = []string{"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "CONNECT", "QUERY"}
