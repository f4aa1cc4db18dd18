package vector

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/keyledger/keyledger/services/dialect"
)

// block returns what as an indented paragraph under its title, or a line that
// says there is none. Bytes a terminal would act on are shown escaped.
func block(title string, what []byte) string {
	if len(what) == 0 {
		return "    " + title + ": none, the request could not be read that far\n"
	}
	var b strings.Builder
	b.WriteString("    " + title + ":\n")
	for line := range strings.SplitSeq(string(what), "\n") {
		b.WriteString("      | " + printable(line) + "\n")
	}
	return b.String()
}

// difference says where a client's own text first parts from ours; nothing if there is no
// such text, or none of ours to hold it to.
func difference(theirs string, ours []byte) string {
	if theirs == "" || len(ours) == 0 {
		return ""
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
