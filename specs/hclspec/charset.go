package hclspec

import (
	"fmt"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/ianaindex"

	"github.com/mcpc-dev/mcpc/specs/diag"
)

// charsets are the names that are suggested; many more are known.
var charsets = []string{"utf-8", "utf-16le", "utf-16be", "iso-8859-1", "iso-8859-2", "iso-8859-3", "iso-8859-4", "iso-8859-5", "iso-8859-6", "iso-8859-7", "iso-8859-8",
	"iso-8859-9", "iso-8859-10", "iso-8859-13", "iso-8859-14", "iso-8859-15", "iso-8859-16", "windows-874", "windows-1250", "windows-1251", "windows-1252", "windows-1253",
	"windows-1254", "windows-1255", "windows-1256", "windows-1257", "windows-1258", "us-ascii", "macintosh", "koi8-r", "koi8-u", "gbk", "gb18030", "gb2312", "big5",
	"euc-jp", "iso-2022-jp", "shift_jis", "euc-kr", "ibm437", "ibm850", "ibm852", "ibm855", "ibm866", "ibm037", "ibm1047"}

// checkCharset accepts the names of the WHATWG's Encoding Standard and of IANA's
// registry that there is a decoder for.
func checkCharset(name string) (problem, advice string) {
	e, err := htmlindex.Get(name)
	if err != nil {
		e, err = ianaindex.IANA.Encoding(name)
	}
	if err != nil || e == nil || e == encoding.Replacement {
		advice = "for example utf-8, iso-8859-1, windows-1252 or shift_jis"
		if n := diag.Nearest(name, charsets); n != "" {
			advice = fmt.Sprintf("did you mean %q?", n)
		}
		return fmt.Sprintf("cannot be %q: there is no such character encoding", name), advice
	}
	return "", ""
}
