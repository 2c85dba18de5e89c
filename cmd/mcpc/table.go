package main

import (
	"bytes"
	"os"
	"strings"
	"unicode/utf8"

	"golang.org/x/term"
)

// width is how many characters a line of the terminal has; 0 when stdout is none.
func (a *app) width() int {
	f, ok := a.stdout.(*os.File)
	if !ok {
		return 0
	}
	w, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 0
	}
	return w
}

// table aligns rows in columns that are two spaces apart. To a width above 0 it
// is made to fit: the second column goes when the last would have less than 30
// characters, and a first column that is too wide gives way, to a third of the
// line. Longer words in it exceed it, because they are names to be copied; then
// the row is cut at its end.
func table(rows [][]string, width int) []byte {
	var wide []int
	measure := func() (sum int) {
		wide = nil
		for _, r := range rows {
			for i, cell := range r {
				if i == len(wide) {
					wide = append(wide, 0)
				}
				wide[i] = max(wide[i], utf8.RuneCountInString(cell))
			}
		}
		for _, w := range wide {
			sum += w + 2
		}
		return sum - 2
	}
	if sum := measure(); width > 0 && sum > width {
		last := wide[len(wide)-1]
		if len(wide) > 2 && width-(sum-last) < min(last, 30) {
			narrow := make([][]string, len(rows))
			for i, r := range rows {
				narrow[i] = append([]string{r[0]}, r[2:]...)
			}
			rows = narrow
			if sum = measure(); sum > width {
				wide[0] = max(min(wide[0], width/3), wide[0]-(sum-width))
			}
		}
	}
	var b bytes.Buffer
	for _, r := range rows {
		line, at := "", 0
		for i, cell := range r {
			line += cell
			at += wide[i] + 2
			if i < len(r)-1 {
				line += strings.Repeat(" ", max(2, at-utf8.RuneCountInString(line)))
			}
		}
		if width > 0 && utf8.RuneCountInString(r[0])+3 > width {
			line = r[0]
		} else if width > 0 {
			line = short(line, width)
		}
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	return b.Bytes()
}
