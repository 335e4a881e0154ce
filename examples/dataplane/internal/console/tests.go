package console

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/iomete/saml"
	"github.com/iomete/saml/examples/dataplane/internal/storage"
)

// A testView is a test sign-in as the administrator sees it.
type testView struct {
	storage.TestRun
	State  string // "waiting", "passed" or "failed"
	Result testResult
	Steps  []step
	Failed string // name of the step that refused
}

// A step is one check with its verdict.
type step struct {
	Number           int
	Name, Rule, Spec string
	Verdict          string // "passed", "failed" or "not reached"
}

func newTestView(t *storage.TestRun) (*testView, error) {
	v := &testView{TestRun: *t, State: "waiting"}
	if t.FinishedAt.IsZero() {
		return v, nil
	}
	if err := json.Unmarshal([]byte(t.Result), &v.Result); err != nil {
		return nil, err
	}
	v.State = "failed"
	if t.Passed {
		v.State = "passed"
	}
	if f := v.Result.Failure; f != nil {
		v.Failed = f.Check
	}
	v.Steps = steps(v.Failed, t.Passed)
	return v, nil
}

// steps are all checks in their order. Those before the one that refused were passed, those behind
// it were not reached; where none of them refused (the session could not be begun, say) nothing is
// known.
func steps(failed string, passed bool) []step {
	var list []step
	verdict := "passed"
	if !passed && failed == "" {
		verdict = "not reached"
	}
	for i, check := range saml.Checks() {
		s := step{Number: i + 1, Name: check.Name, Rule: check.Rule, Spec: check.Spec, Verdict: verdict}
		if !passed && check.Name == failed {
			s.Verdict, verdict = "failed", "not reached"
		}
		list = append(list, s)
	}
	return list
}

func (c *Console) latestTest(ctx context.Context, revision string) (*testView, error) {
	t, err := c.DB.LatestTest(ctx, revision)
	if errors.Is(err, storage.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return newTestView(t)
}

type testPage struct {
	page
	Test    *testView
	State   *storage.State
	Current bool // whether the settings that were tested are still the saved ones
	InUse   bool // or those in use
}

// showTest shows a test to the administrator in any browser: there is one administrator, and only
// finishing a test takes the browser that began it.
func (c *Console) showTest(w http.ResponseWriter, r *http.Request, admin *storage.AdminSession) {
	id := r.PathValue("id")
	if !isID(id) {
		c.notFound(w, r)
		return
	}
	test, err := c.DB.Test(r.Context(), id)
	if errors.Is(err, storage.ErrNotFound) {
		c.notFound(w, r)
		return
	}
	var v *testView
	if err == nil {
		v, err = newTestView(test)
	}
	state, err2 := c.DB.State(r.Context())
	if err := errors.Join(err, err2); err != nil {
		c.broken(w, r, err)
		return
	}
	p := testPage{page: c.newPage(r, "Test sign-in", visitor{Admin: admin}), Test: v, State: state}
	p.OpenForms = true
	p.Current = state.Saved != nil && state.Saved.ID == test.Revision
	p.InUse = state.Live != nil && state.Live.ID == test.Revision
	render(w, http.StatusOK, "test", p)
}
