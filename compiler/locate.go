package compiler

import (
	"bytes"
	"unicode/utf8"
)

// advance moves a position over text, as [diag.Source.Position] counts.
func advance(text []byte, line, column int) (int, int) {
	if n := bytes.Count(text, []byte{'\n'}); n > 0 {
		line += n
		column = 1
		text = text[bytes.LastIndexByte(text, '\n')+1:]
	}
	return line, column + utf8.RuneCount(text)
}
