package result

// Code is a kind of failure, as clients, logs and metrics name it. Words are
// stable: none changes its meaning.
type Code struct {
	Word    string
	Meaning string // what happened
	Next    string // what the model, or else the operator, can do
	Retry   string // words of _meta["mcpc/error"].retry that go with it
}

// Codes are all kinds of failures but those of native code, which has its own.
// runtime/ERRORS.md is made of them.
func Codes() []Code {
	return []Code{
		{"invalid-arguments", "The arguments do not fit the tool, or no request can be made of them; nothing was sent.", "Correct the fields that are named and call again.", "no"},
		{"declined", "The person who was asked did not agree; nothing was done.", "Do not call again unless the person wants it.", "no"},
		{"confirmation", "A person has to agree, and could not be asked, or the answer does not count; nothing was done.", "Use a client that can ask (elicitation), and call again.", "no, may-help"},
		{"busy", "The server, or the upstream, has as many calls as it takes at once; nothing was sent.", "Call again after the time that is said.", "after"},
		{"rate-limit", "The upstream is called as often as it may be, and the turn of this call would come too late; nothing was sent.", "Make fewer calls, or wait as long as is said.", "after"},
		{"breaker", "The upstream failed several times in a row and is left alone for a while; nothing was sent.", "Call again after the time that is said.", "after"},
		{"denied", "The policy does not allow the caller this call; the rule is named, and nothing was done.", "Call what the lists show; the operator decides about the rules.", "no"},
		{"rate-limited", "The caller has called as often, or with as many bytes, as a rate_limit allows, or the store that keeps it cannot be asked; nothing was sent.", "Call again after the time that is said. After too many bytes: ask for less.", "no, may-help, after"},
		{"audit", "The server records every call and cannot write the record; nothing was done.", "The operator has to look at the audit log: disk full, file gone.", "may-help"},

		{"http-NNN", "The upstream answered with this status, for example http-404. What it said is shown, bounded and without secrets; problem+json (RFC 9457) is read.", "400, 404, 409, 422: correct the arguments. 401, 403: the operator has to look at the credentials. 429, 503: wait. Otherwise the operator has to look at the upstream.", "no, may-help, after, check-first"},
		{"upstream-error", "The upstream answered that it went well, and its body says that it did not (error_when).", "What the upstream said tells.", "as the spec says, or unknown"},
		{"soap-fault", "The upstream answered with a SOAP fault.", "Of a fault of the client: correct the arguments.", "no, may-help, check-first"},
		{"unreadable-answer", "The answer is nested too deeply to be read.", "Ask for less, or another tool.", "no"},
		{"too-large", "The answer, or its headers, are larger than is read, and of no use in part.", "Ask for less at once.", "no, check-first"},
		{"jq", "The program that shapes the answer failed on it.", "The operator has to mend the program.", "no"},

		{"timeout", "No answer came in time.", "Ask for less at once if the arguments allow it.", "may-help, check-first"},
		{"canceled", "The caller went away, or canceled the call.", "Nothing, if that was meant.", "may-help, check-first"},
		{"connect", "No connection to the upstream.", "If it stays so, the operator has to look at the upstream.", "may-help"},
		{"dns", "The name of the upstream's host does not resolve.", "The operator has to check the base URL.", "no, may-help"},
		{"tls", "No trusted encrypted connection to the upstream.", "The operator has to check certificates.", "no"},
		{"connection", "The connection broke before a whole answer had come.", "If it stays so, the operator has to look at the upstream.", "may-help, check-first"},
		{"protocol", "What the upstream sent is not HTTP.", "The operator has to check the base URL, and look at the upstream.", "no, check-first"},
		{"address", "The upstream's host or address is one that is not called: link-local, metadata, a public name that leads to a private address, or denied by egress. Nothing was sent.", "The operator has to correct the base URL, or to allow the address in egress of the API.", "no"},
		{"redirect", "The upstream redirects where calls are not sent.", "The operator has to correct the base URL, or the spec.", "no, check-first"},
		{"encoding", "The upstream compressed its answer in a way that is not known.", "The operator has to look into it.", "no"},
		{"no-base-url", "It is not known where the upstream is.", "The operator has to say it, with --base-url or base_url.", "no"},
		{"credential", "A credential cannot be sent, or the token or session for it could not be had, or has ended.", "The operator has to look at the credential, or at the service that gives tokens. A caller whose own token was refused connects again. Where a session has ended: see whether the call was carried out.", "no, may-help, after, check-first"},
		{"missing-credential", "The server has no value for one of its secrets.", "The operator has to set it.", "no"},

		{"step-value", "A value that one step hands to the next cannot be made.", "If the arguments are right, the operator has to mend the spec.", "no"},
		{"too-many-elements", "A step has more elements than are worked on in one call.", "Ask for fewer.", "no"},

		{"internal", "The call failed inside this server. The reason is in its log, under the correlation id that is told.", "Tell the operator the correlation id.", "no"},
	}
}
