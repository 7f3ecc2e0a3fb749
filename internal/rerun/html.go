package rerun

import (
	"fmt"
	"html"
	"regexp"
	"strings"
)

// grid is a table: rows of cells, the heading first.
type grid [][]string

// name is how a reader finds a cell: by its row's first cell and its column's heading.
func (g grid) name(i, j int) string {
	if i == 0 {
		return fmt.Sprintf("heading of column %d", j+1)
	}
	row, column := fmt.Sprintf("row %d", i), fmt.Sprintf("column %d", j+1)
	if len(g[i]) > 0 && g[i][0] != "" && j > 0 {
		row = fmt.Sprintf("row %d (%s)", i, g[i][0])
	}
	if j < len(g[0]) && g[0][j] != "" {
		column = fmt.Sprintf("column %q", g[0][j])
	}
	return row + ", " + column
}

// page is what an HTML output tells: its tables, and the text outside of them. The markup is
// its tags, one a line, and what a style or a script holds.
type page struct {
	tables []grid
	text   string
	markup string
}

// A tag or a comment. What an attribute quotes may hold a ">".
var tag = regexp.MustCompile(`(?s)<!--.*?-->|<(/?[a-zA-Z][a-zA-Z0-9]*)(?:[^>"']|"[^"]*"|'[^']*')*>`)

// readHTML reads the tables and the text of an HTML output. A table within a table is read
// as the rows that it adds.
func readHTML(source string) page {
	var p page
	var text, cell, markup strings.Builder
	inTable, inCell, skip := 0, false, ""
	write := func(s string) {
		switch {
		case skip != "":
			markup.WriteString(s + "\n")
		case inCell:
			cell.WriteString(s)
		default: // a caption is text too
			text.WriteString(s)
		}
	}
	endCell := func() {
		if !inCell {
			return
		}
		g := &p.tables[len(p.tables)-1]
		if len(*g) == 0 {
			*g = append(*g, nil)
		}
		last := len(*g) - 1
		(*g)[last] = append((*g)[last], words(cell.String()))
		cell.Reset()
		inCell = false
	}
	at := 0
	for _, m := range tag.FindAllStringSubmatchIndex(source, -1) {
		write(source[at:m[0]])
		at = m[1]
		if m[2] < 0 {
			continue
		}
		markup.WriteString(words(source[m[0]:m[1]]) + "\n")
		name := strings.ToLower(source[m[2]:m[3]])
		if skip != "" {
			if name == "/"+skip {
				skip = ""
			}
			continue
		}
		switch name {
		case "style", "script":
			skip = name
		case "table":
			endCell()
			if inTable++; inTable == 1 {
				p.tables = append(p.tables, nil)
			}
		case "/table":
			endCell()
			inTable = max(inTable-1, 0)
		case "tr":
			endCell()
			if inTable > 0 {
				p.tables[len(p.tables)-1] = append(p.tables[len(p.tables)-1], nil)
			}
		case "/tr":
			endCell()
		case "td", "th":
			endCell()
			inCell = inTable > 0
		case "/td", "/th":
			endCell()
		case "br", "p", "/p", "div", "/div", "li", "/caption", "h1", "h2", "h3", "h4":
			write("\n")
		}
	}
	write(source[at:])
	endCell()
	var lines []string
	for _, line := range strings.Split(text.String(), "\n") {
		if line = words(line); line != "" {
			lines = append(lines, line)
		}
	}
	p.text, p.markup = strings.Join(lines, "\n"), markup.String()
	return p
}

func words(s string) string { return strings.Join(strings.Fields(html.UnescapeString(s)), " ") }
