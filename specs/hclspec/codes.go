package hclspec

// Code is a stable word that names a kind of mistake.
type Code struct {
	Word    string
	Meaning string // completes "the mistake is: …"
}

// Codes lists the kinds of mistakes this package reports, in the order of the
// reference.
func Codes() []Code {
	return []Code{
		{"syntax", "the text is not HCL (or JSON)"},
		{"not-utf8", "a file is not UTF-8 text"},
		{"too-large", "a file, or what its expressions grow to, is too large"},
		{"too-deep", "brackets or expressions are nested too deeply"},
		{"empty-spec", "the directory holds no spec"},
		{"unreadable-file", "a file cannot be read"},
		{"remote-spec", "a spec from a URL names something of this machine"},

		{"unknown-block", "no such block here"},
		{"unknown-attribute", "no such attribute here"},
		{"missing-attribute", "a required attribute is not written"},
		{"duplicate-attribute", "an attribute is set twice"},
		{"duplicate-block", "a block that may occur once occurs twice"},
		{"needless-attribute", "an attribute says what is known already"},
		{"missing-label", "a block lacks its name"},
		{"extra-label", "a block has too many labels"},
		{"unknown-label", "a label is none of those allowed"},
		{"invalid-name", "a name has characters it cannot have"},
		{"duplicate-variable", "two variables of one name"},
		{"duplicate-local", "two locals of one name"},
		{"duplicate-api", "two APIs of one name"},
		{"duplicate-tool", "two tools of one name"},
		{"duplicate-resource", "two resources that are read by the same URIs"},
		{"duplicate-prompt", "two prompts of one name"},
		{"duplicate-input", "two inputs of one name in a tool or override"},

		{"wrong-type", "a value of the wrong type"},
		{"unknown-type", "no such type"},
		{"unknown-value", "a word that is none of those allowed"},
		{"invalid-value", "a value out of range or of the wrong form"},
		{"invalid-duration", "not a duration"},
		{"invalid-size", "not a size"},
		{"does-not-apply", "a rule that does not fit the type or the kind of tool"},
		{"empty-range", "limits that allow no value"},
		{"unknown-credential", "no such credential"},
		{"literal-secret", "warning: a secret is written out in the spec"},
		{"reserved-header", "a header that is managed for you"},

		{"unknown-name", "a reference to something that does not exist"},
		{"unknown-variable", "no such variable"},
		{"unknown-local", "no such local"},
		{"unknown-member", "no such member or element"},
		{"unknown-function", "no such function"},
		{"wrong-arguments", "a function, type or credential with the wrong arguments"},
		{"invalid-operation", "an operator or function failed"},
		{"incomplete-reference", "var, local, args or operation without a name"},
		{"unsupported-expression", "an expression that cannot be evaluated in a call"},
		{"wrong-phase", "something is used before it is known"},
		{"cycle", "locals that depend on themselves"},
		{"missing-variable", "a variable without a value"},
		{"sensitive-value", "a secret where it would be seen"},
		{"sensitive-default", "a secret with a default"},

		{"unknown-api", "no such API"},
		{"missing-api", "a tool without any API to call"},
		{"ambiguous-api", "a tool that does not say which API it calls"},
		{"invalid-reference", "not a reference to an operation or API"},
		{"nothing-to-select", "operations of an API that has no OpenAPI document"},
		{"duplicate-identity", "two identities of one name"},
		{"duplicate-key", "an object with a key twice, or two API keys of one name"},
		{"identity-kind", "an identity with no way to show who calls, or several"},
		{"missing-request", "a tool with neither request nor operation"},
		{"request-and-operation", "a tool with both"},
		{"unknown-method", "no such HTTP method"},
		{"invalid-path", "a path that cannot be sent, or that leads nowhere in an answer"},
		{"args-in-path", "`${…}` in a path, where `{name}` belongs"},
		{"optional-in-path", "a path that needs an optional input"},
		{"optional-in-text", "warning: a text that needs an optional input"},
		{"two-bodies", "a request with two bodies"},
		{"invalid-jq", "a program that jq does not accept"},
		{"renamed-member", "warning: a path with a name that is not there any more"},
		{"unknown-input", "no such input"},
		{"input-nobody-gives", "an input of a resource that is no variable of its URI"},
		{"invalid-uri", "not the URI of a resource"},
		{"missing-block", "a block that is required is not written"},
		{"unused-input", "warning: an input that the request does not use"},
	}
}
