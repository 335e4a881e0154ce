package page

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestQuestion: the field has a label and says what it is for, a problem is announced and belongs to
// the field, and nothing that is shown can leave its place.
func TestQuestion(t *testing.T) {
	t.Parallel()
	const hostile = `"><script>alert(1)</script>` + "'&"
	for _, row := range []struct {
		name          string
		page          Question
		has, has2     string
		inputs, codes int
	}{
		{"at first", Question{Title: "Sign in", Label: "Address", Field: "address", MaxLength: 320},
			`<label for="address">Address</label>`, `name="address" value="" autocomplete="email"`, 1, 0},
		{"with a page to come back to", Question{Field: "address", Kept: Field{"return_to", "/a?b=c&d#e"}, MaxKept: 10},
			`name="return_to" value="/a?b=c&amp;d#e"`, `length<= 10 `, 2, 0},
		{"after a mistake",
			Question{Field: "address", Value: "ann", Problem: "No.", Notes: []Field{{"Code", "x"}, {"reference", "y"}}},
			`<p id="problem" role="alert">No.</p>`, ` aria-invalid="true" aria-describedby="problem">`, 1, 2},
		{"hostile values", Question{Title: hostile, Label: hostile, Field: hostile, Value: hostile, Problem: hostile,
			Kept: Field{hostile, hostile}, Notes: []Field{{hostile, hostile}}}, `&lt;script&gt;`, `&#34;&gt;`, 2, 1},
	} {
		w := httptest.NewRecorder()
		row.page.Write(w, http.StatusUnprocessableEntity)
		html := w.Body.String()
		scripts := 0
		if row.page.Kept.Value != "" {
			scripts = 1
		}
		if w.Code != http.StatusUnprocessableEntity ||
			!strings.Contains(html, row.has) || !strings.Contains(html, row.has2) ||
			strings.Count(html, "<input ") != row.inputs || strings.Count(html, "<code>") != row.codes ||
			strings.Count(html, "<script") != scripts || strings.Count(html, " autofocus") != 1 ||
			strings.Contains(html, "action=") || strings.Contains(html, "aria-") != (row.page.Problem != "") {
			t.Errorf("%s: status %d, %s", row.name, w.Code, html)
		}
	}
}
