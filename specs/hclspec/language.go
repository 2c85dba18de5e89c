package hclspec

// language is the whole language as a table: a function for each block, in
// block_*.go. It is built for each Parse; it is data and never changed.
func language() *block {
	return &block{inner: []*block{serverBlock(), variableBlock(), localsBlock(), apiBlock(), authBlock(), toolBlock(), resourceBlock(), promptBlock(), identityBlock(), policyBlock(), rateLimitBlock(), storeBlock(), observeBlock(), movedBlock(), moduleBlock(), envBlock(), testBlock()}}
}

var httpMethods = []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "QUERY"}
