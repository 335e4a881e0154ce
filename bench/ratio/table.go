//go:build unix

package main

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/iomete/saml/bench"
)

// The tables stand between these lines.
const (
	openMarker  = "<!-- speed -->\n"
	closeMarker = "<!-- /speed -->"
)

// peers are the columns of the two tables.
var (
	loginPeers = []string{bench.Crewjam, bench.GoSAML2}
	pagePeers  = []string{bench.CrewjamRS256, bench.CrewjamES256, bench.SecureCookie, bench.SCS}
)

// headLine says when, where and with what the tables were measured.
func headLine(o options, when time.Time) string {
	return fmt.Sprintf("%s, %s on %s/%s, %s, %d processors of which %d are used, %d rounds of %v: %s.",
		when.UTC().Format(time.DateOnly), runtime.Version(), runtime.GOOS, runtime.GOARCH, processorName(), runtime.NumCPU(),
		processors, o.rounds, o.slice, strings.Join(versions(), ", "))
}

// versions lists the peers that this program was built with.
func versions() (list []string) {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return nil
	}
	for _, wanted := range []string{"crewjam/saml", "russellhaering/gosaml2", "russellhaering/goxmldsig",
		"gorilla/securecookie", "alexedwards/scs/v2"} {
		for _, m := range info.Deps {
			if m.Path == "github.com/"+wanted {
				list = append(list, wanted+" "+m.Version)
			}
		}
	}
	return list
}

// processorName is what Linux says; elsewhere nobody knows.
func processorName() string {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err == nil {
		for line := range strings.Lines(string(text)) {
			if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
				return strings.TrimSpace(value)
			}
		}
	}
	return "unknown processor"
}

// fairness stands beside every table.
const fairness = `A cell with a range is a ratio of processor time: the median of all rounds, and the quartiles.
"One processor" is the same with GOMAXPROCS=1. **The peers do and check less than we do** in every row
of the first table; bench/README.md says what they leave out ("What the figures do not say"). In the
second one, securecookie and scs keep no more than an e-mail address and groups.
`

// writeTables writes one table for messages and one for pages, and who refused what.
func writeTables(b *strings.Builder, head string, all []*measurement) {
	fmt.Fprintf(b, "%s\n\n%s", head, fairness)
	writeTable(b, "from the form value to the person", loginPeers, only(all, false))
	writeTable(b, "each request to a protected page", pagePeers, only(all, true))
	for _, m := range all {
		for _, peer := range append(loginPeers, pagePeers...) {
			if err := m.refused[peer]; err != nil {
				fmt.Fprintf(b, "\n- %s, %s: %s", m.name, peer, oneLine(err))
			}
		}
	}
	if !strings.HasSuffix(b.String(), "\n") {
		b.WriteString("\n")
	}
}

func oneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }

func only(all []*measurement, page bool) (list []*measurement) {
	for _, m := range all {
		if m.page == page {
			list = append(list, m)
		}
	}
	return list
}

func writeTable(b *strings.Builder, title string, peers []string, rows []*measurement) {
	if len(rows) == 0 {
		return
	}
	head := []string{title, "floor, µs", "ours / floor", "one processor", "allocations", "KiB"}
	for _, peer := range peers {
		head = append(head, peer+" / ours")
	}
	head = append(head, peers[0]+" / ours, one processor", "KiB, "+peers[0])
	cells := [][]string{head, nil}
	for _, m := range rows {
		cells = append(cells, m.cells(peers))
	}
	b.WriteString("\n")
	writeCells(b, cells)
}

func (m *measurement) cells(peers []string) []string {
	mine := m.garbage[bench.Ours]
	list := []string{m.name, fmt.Sprintf("%.1f", m.many.microseconds(bench.Floor)), m.cell(m.many, bench.Ours, bench.Floor),
		m.cell(m.single, bench.Ours, bench.Floor), fmt.Sprintf("%.0f", mine.allocs), fmt.Sprintf("%.1f", mine.bytes/1024)}
	for _, peer := range peers {
		list = append(list, m.cell(m.many, peer, bench.Ours))
	}
	theirs := ""
	if g, ok := m.garbage[peers[0]]; ok {
		theirs = fmt.Sprintf("%.0f", g.bytes/1024)
	}
	return append(list, m.cell(m.single, peers[0], bench.Ours), theirs)
}

func (m *measurement) cell(t turns, name, base string) string {
	if m.refused[name] != nil {
		return "refuses"
	}
	r, ok := t.against(name, base)
	if !ok {
		return ""
	}
	digits := 2
	if r.median >= 10 {
		digits = 0
	}
	return fmt.Sprintf("%.*f (%.*f-%.*f)", digits, r.median, digits, r.low, digits, r.high)
}

// writeCells writes a table of Markdown that reads well as text too. The second row is the line
// below the head.
func writeCells(b *strings.Builder, cells [][]string) {
	widths := make([]int, len(cells[0]))
	for _, row := range cells {
		for i, c := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(c))
		}
	}
	for _, row := range cells {
		for i, width := range widths {
			if row == nil {
				b.WriteString("| " + strings.Repeat("-", width) + " ")
				continue
			}
			b.WriteString("| " + row[i] + strings.Repeat(" ", width-utf8.RuneCountInString(row[i])+1))
		}
		b.WriteString("|\n")
	}
}

// writeBetween puts text between the markers of a file.
func writeBetween(path, text string) error {
	before, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	after, err := between(string(before), text)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return os.WriteFile(path, []byte(after), 0o644)
}

// between replaces what stands between the markers in document.
func between(document, text string) (string, error) {
	head, rest, opened := strings.Cut(document, openMarker)
	_, tail, closed := strings.Cut(rest, closeMarker)
	if !opened || !closed || strings.Contains(tail, openMarker) {
		return "", fmt.Errorf("it must have one pair of the markers %q and %q", openMarker, closeMarker)
	}
	return head + openMarker + text + closeMarker + tail, nil
}
