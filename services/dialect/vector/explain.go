package vector

import (
	"strconv"
	"strings"
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

func printable(line string) string {
	quoted := strconv.QuoteToGraphic(line)
	return strings.ReplaceAll(quoted[1:len(quoted)-1], `\"`, `"`)
}
