package vector

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/keyledger/keyledger/services/dialect"
)

// block returns what as an indented paragraph under its title, or a line that
// says why there is none. Bytes a terminal would act on are shown escaped.
func block(title string, what []byte, j Judgement) string {
	if len(what) == 0 {
		return "    " + title + ": none, the request was refused before: " + j.Detail + "\n"
	}
	var b strings.Builder
	b.WriteString("    " + title + ":\n")
	for line := range strings.SplitSeq(string(what), "\n") {
		b.WriteString("      | " + printable(line) + "\n")
	}
	return b.String()
}

// difference says where a client's own text first parts from ours; nothing if there is no
// such text.
func difference(theirs string, ours []byte) string {
	if theirs == "" {
		return ""
	}
	if len(ours) == 0 {
		return "    the client's can be compared with nothing\n"
	}
	d, found := dialect.FirstDifference([]byte(theirs), ours)
	if !found {
		return "    the client's is the same\n"
	}
	return fmt.Sprintf("    the client's differs from line %d, column %d:\n      client | %s\n      server | %s\n      %s^\n",
		d.Line, d.Column, printable(d.Theirs), printable(d.Ours), strings.Repeat(" ", len("server | ")+utf8.RuneCountInString(printable(d.Ours[:d.Column-1]))))
}

func printable(line string) string {
	quoted := strconv.QuoteToGraphic(line)
	return strings.ReplaceAll(quoted[1:len(quoted)-1], `\"`, `"`)
}
