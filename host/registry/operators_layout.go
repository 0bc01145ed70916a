package registry

import (
	"bytes"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// maxLayout bounds the comparison of two texts: lines of one times lines of the
// other, without what they have in common at both ends. Above it, what lies between
// is laid out anew.
const maxLayout = 4 << 20

// byteOrderMark begins files that some editors of Windows wrote.
var byteOrderMark = []byte("\ufeff")

// keepLayout gives an edited text the layout of the old one: hclwrite lays out the
// whole file, but lines that say what they said are a person's. New lines end as
// those of the old text do.
func keepLayout(old, text []byte) []byte {
	body, marked := bytes.CutPrefix(old, byteOrderMark)
	was, is := bytes.SplitAfter(body, []byte("\n")), bytes.SplitAfter(text, []byte("\n"))
	wasKeys, isKeys := lineKeys(body, len(was)), lineKeys(text, len(is))
	carriage := len(was) > 1 && bytes.HasSuffix(was[0], []byte("\r\n"))
	from := pairLines(wasKeys, isKeys)
	var out bytes.Buffer
	if marked {
		out.Write(byteOrderMark)
	}
	for i, line := range is {
		switch {
		case from[i] >= 0:
			line = was[from[i]]
		case carriage && bytes.HasSuffix(line, []byte("\n")):
			line = append(bytes.TrimRight(line, "\r\n"), "\r\n"...)
		}
		out.Write(line)
	}
	return out.Bytes()
}

// lineKeys is what each line says: its tokens, without the blanks between them.
func lineKeys(src []byte, lines int) []string {
	keys := make([]strings.Builder, lines)
	tokens, _ := hclsyntax.LexConfig(src, "operator", hcl.InitialPos)
	for _, t := range tokens {
		if t.Type == hclsyntax.TokenNewline {
			continue
		}
		line := t.Range.Start.Line - 1
		for piece := range bytes.SplitSeq(t.Bytes, []byte("\n")) {
			if line < lines && len(piece) > 0 {
				keys[line].WriteRune(rune(t.Type))
				keys[line].Write(bytes.TrimSuffix(piece, []byte("\r")))
				keys[line].WriteByte(0)
			}
			line++
		}
	}
	out := make([]string, lines)
	for i := range keys {
		out[i] = keys[i].String()
	}
	return out
}

// pairLines finds for each line of is the line of was that says the same, in their
// order, and -1 where there is none.
func pairLines(was, is []string) []int {
	out := make([]int, len(is))
	for i := range out {
		out[i] = -1
	}
	head := 0
	for head < len(was) && head < len(is) && was[head] == is[head] {
		out[head] = head
		head++
	}
	tail := 0
	for tail < len(was)-head && tail < len(is)-head && was[len(was)-1-tail] == is[len(is)-1-tail] {
		tail++
		out[len(is)-tail] = len(was) - tail
	}
	was, is = was[head:len(was)-tail], is[head:len(is)-tail]
	if len(was)*len(is) > maxLayout {
		return out
	}
	// The longest common subsequence, from the end.
	common := make([][]int, len(was)+1)
	for i := range common {
		common[i] = make([]int, len(is)+1)
	}
	for i := len(was) - 1; i >= 0; i-- {
		for j := len(is) - 1; j >= 0; j-- {
			if was[i] == is[j] {
				common[i][j] = common[i+1][j+1] + 1
			} else {
				common[i][j] = max(common[i+1][j], common[i][j+1])
			}
		}
	}
	for i, j := 0, 0; i < len(was) && j < len(is); {
		switch {
		case was[i] == is[j]:
			out[head+j] = head + i
			i, j = i+1, j+1
		case common[i+1][j] >= common[i][j+1]:
			i++
		default:
			j++
		}
	}
	return out
}
