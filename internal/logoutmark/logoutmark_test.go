package logoutmark

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

var ours = Service{Tenant: "acme", EntityID: "https://console.example.com/acs", Issuer: "https://idp.example.com/saml"}

// TestKeysNeverChange: replicas of two releases share the marks, so the keys are the same forever.
// Another program made these, from the description in package storekey.
func TestKeysNeverChange(t *testing.T) {
	t.Parallel()
	request := Request{NameID{"Ann@example.com", "", "https://console.example.com/acs"}, []string{"_1"}}
	session := Session{NameID: NameID{"ann@EXAMPLE.com", "", "https://console.example.com/acs"}, Email: true,
		Indexes:     []string{"_1"},
		AssertionID: "_1"}
	for name, got := range map[string][]string{"request": request.Keys(ours), "session": session.Keys(ours)} {
		if want := strings.Fields(golden[name]); !slices.Equal(got, want) {
			t.Errorf("%s: got\n%s\nwant\n%s", name, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
}

var golden = map[string]string{
	"request": `
		v1/out/giszrYfBSKCi/rT5dM0bCKaKlW9iLoqs8nq91GOt8OLts-_7gYP8ekvs
		v1/out/giszrYfBSKCi/41TY3Z8l7Jnq3O_dkhw9lpk2BoLKRmA8AVHz6EYRs-I
		v1/out/giszrYfBSKCi/rNaSX7E-9LPR7ZV55BfF57Y8VzR-8SXA-IDiGQ0xPck
		v1/out/giszrYfBSKCi/B8jZqqtISeFmDWpgsoK1mkLglhtcVzLnpo4S0eg0GcA
		v1/out/giszrYfBSKCi/YEi9KT3I3BEyz7CizOMmdEKEyZvuw-rNGB5cyIVRHt0
		v1/out/giszrYfBSKCi/GMttZLNdwYgARV3IikLB5U-6Kel3Go5fZuVKvGFf_YU
		v1/out/giszrYfBSKCi/BQARRXCUO8j7fpO-Gko5YjXZxyxh4kDTNOaTiHPwGhg
		v1/out/giszrYfBSKCi/pELBtEsuQJcb9rbgRQcG1TH3DHpE44EEx6i7mL3gM6Y
		v1/out/giszrYfBSKCi/GSrsCEGlucLmA0ckmbT2NHzF_GLrplAMD_w276zl7dk`,
	"session": `
		v1/out/giszrYfBSKCi/YEi9KT3I3BEyz7CizOMmdEKEyZvuw-rNGB5cyIVRHt0
		v1/out/giszrYfBSKCi/Vb29EguubkOlSHwJWYHviDVoCQfJZ8aZm6sPs-TNRjg
		v1/out/giszrYfBSKCi/ZSCsyAqvyppT3apTnndZIprRf4kXjgm9Xm3RXY6W0Is
		v1/out/giszrYfBSKCi/WDf6ns6wRGZNy6VN_46U7EmGV-f6V_32qNAp8Zz8fNI
		v1/out/giszrYfBSKCi/eUcv92OduLR9tpWL-65hY4VTk3hjcCzxYfJzNyMugoE
		v1/out/giszrYfBSKCi/LpuxnbcMeOZhA4zhJzl1IYepUNtfT5jH1fJFRhp_5tw
		v1/out/giszrYfBSKCi/qV4CIntPDpyetedtTAZc-JLue_TmohPFxaHdepalW4k
		v1/out/giszrYfBSKCi/ZGgyU280K5tJtpqLXTMXcg-rU_TFP09p74HjSPWiAEY
		v1/out/giszrYfBSKCi/GSrsCEGlucLmA0ckmbT2NHzF_GLrplAMD_w276zl7dk`,
}

// parts are what a qualifier can be, and indexes what the SessionIndexes can be.
var (
	parts   = []string{"", "a", "b"}
	indexes = [][]string{nil, {"1"}, {"2"}, {"1", "2"}, {""}, {"1", "1"}}
)

// TestRequestNamesSessions compares the keys with the rule, for all combinations: a request names a
// session if the names are equal, and each part that both have is equal too; or if it has the index
// that is the ID of the session's own assertion.
func TestRequestNamesSessions(t *testing.T) {
	t.Parallel()
	values := []string{"ann", "Ann", "ann@x", "Ann@X", "@", "bob"}
	requests, sessions := map[string]Request{}, map[string]Session{}
	for _, value := range values {
		for _, q := range parts {
			for _, s := range parts {
				for _, i := range indexes {
					n := NameID{value, q, s}
					requests[fmt.Sprint(n, i)] = Request{n, i}
					for _, email := range []bool{false, true} {
						for _, own := range []string{"", "1"} {
							sessions[fmt.Sprint(n, i, email, own)] = Session{n, email, i, own}
						}
					}
				}
			}
		}
	}
	marks := map[string][]string{}
	for name, r := range requests {
		marks[name] = r.Keys(ours)
	}
	named := 0
	for sessionName, s := range sessions {
		looked := map[string]bool{}
		for _, key := range s.Keys(ours) {
			looked[key] = true
		}
		for requestName, r := range requests {
			got := slices.ContainsFunc(marks[requestName], func(key string) bool { return looked[key] })
			want := names(r, s)
			if got != want {
				t.Fatalf("request %s names session %s: got %t, want %t", requestName, sessionName, got, want)
			}
			if want {
				named++
			}
		}
	}
	t.Logf("%d requests, %d sessions, %d pairs where one names the other", len(requests), len(sessions), named)
}

// names is the rule in other words.
func names(r Request, s Session) bool {
	if slices.Contains(s.Indexes, s.AssertionID) && slices.Contains(r.Indexes, s.AssertionID) {
		return true
	}
	sameName := r.NameID.Value == s.NameID.Value ||
		s.Email && len(s.NameID.Value) > 1 && strings.Contains(s.NameID.Value, "@") &&
			strings.EqualFold(r.NameID.Value, s.NameID.Value)
	same := func(a, b string) bool { return a == "" || b == "" || a == b }
	sameIndex := len(r.Indexes) == 0 || len(s.Indexes) == 0 ||
		slices.ContainsFunc(r.Indexes, func(i string) bool { return slices.Contains(s.Indexes, i) })
	return sameName && sameIndex && same(r.NameID.NameQualifier, s.NameID.NameQualifier) &&
		same(r.NameID.SPNameQualifier, s.NameID.SPNameQualifier)
}

// TestServicesDoNotMeet: the same user of another tenant, another entity ID or another identity
// provider is not named, and no part of a name can take the place of another.
func TestServicesDoNotMeet(t *testing.T) {
	t.Parallel()
	n := NameID{"ann@example.com", "q", "s"}
	session := Session{n, true, []string{"1"}, "1"}
	request := Request{n, []string{"1"}}
	for _, other := range []Service{{"b", ours.EntityID, ours.Issuer}, {ours.Tenant, "b", ours.Issuer}, {ours.Tenant,
		ours.EntityID, "b"},
		{"", ours.EntityID, ours.Issuer}, {ours.EntityID, ours.Tenant, ours.Issuer}, {ours.Tenant + ours.EntityID, "",
			ours.Issuer}} {
		for _, key := range request.Keys(other) {
			if slices.Contains(session.Keys(ours), key) {
				t.Errorf("%v ends a session of %v", other, ours)
			}
		}
	}
	for _, other := range []NameID{{"ann@example.com", "s", "q"}, {"q", "ann@example.com", "s"}, {"ann@example.comq",
		"", "s"}} {
		for _, key := range (Request{other, []string{"2"}}).Keys(ours) {
			if slices.Contains(session.Keys(ours), key) {
				t.Errorf("%v ends a session of %v", other, n)
			}
		}
	}
	// an index that is like the words of another form of a part
	for _, index := range []string{absent, present, equal, equal + "1"} {
		for _, key := range (Request{n, []string{index}}).Keys(ours) {
			if slices.Contains(session.Keys(ours), key) {
				t.Errorf("the index %q ends a session with the index 1", index)
			}
		}
	}
}

// TestNumberOfKeys: what the documentation says about the rows of a logout and the keys of a look-up,
// each of which is there once.
func TestNumberOfKeys(t *testing.T) {
	t.Parallel()
	long := make([]string, 64)
	for i := range long {
		long[i] = fmt.Sprint("_", i)
	}
	for _, row := range []struct {
		name string
		keys []string
		want int
	}{
		{"Keycloak", Request{NameID{Value: "ann"}, long[:1]}.Keys(ours), 3},
		{"an e-mail address", Request{NameID{Value: "ann@x"}, long[:1]}.Keys(ours), 5},
		{"no index", Request{NameID{Value: "ann@x"}, nil}.Keys(ours), 2},
		{"both qualifiers", Request{NameID{"ann@x", "q", "s"}, long[:1]}.Keys(ours), 17},
		{"64 indexes and both qualifiers", Request{NameID{"ann@x", "q", "s"}, long}.Keys(ours), 9*64 + 8},
		{"one index twice", Request{NameID{Value: "ann"}, []string{"1", "1"}}.Keys(ours), 3},
		{"a session", Session{NameID{Value: "ann@x"}, true, long[:1], "_other"}.Keys(ours), 8},
		{"a session of Entra", Session{NameID{Value: "ann@x"}, true, long[:1], long[0]}.Keys(ours), 9},
		{"a session with 8 indexes", Session{NameID{Value: "ann@x"}, true, long[:8], long[0]}.Keys(ours), 37},
	} {
		unique := slices.Compact(slices.Sorted(slices.Values(row.keys)))
		if len(row.keys) != row.want || len(unique) != row.want {
			t.Errorf("%s: got %d keys, %d different ones, want %d", row.name, len(row.keys), len(unique), row.want)
		}
		for _, key := range row.keys {
			if len(key) > 64 || !strings.HasPrefix(key, "v1/out/") {
				t.Errorf("%s: got the key %q", row.name, key)
			}
		}
	}
}

// TestHasEnded: whole seconds of the identity provider's clock decide.
func TestHasEnded(t *testing.T) {
	t.Parallel()
	mark := time.Date(2026, 3, 10, 9, 30, 0, 0, time.UTC)
	for _, row := range []struct {
		after time.Duration
		want  bool
	}{{-time.Hour, true}, {-time.Nanosecond, true}, {0, true}, {999 * time.Millisecond, true}, {time.Second, false},
		{time.Hour, false}} {
		if got := HasEnded(mark.Add(row.after), mark); got != row.want {
			t.Errorf("issued %v after the mark: got %t, want %t", row.after, got, row.want)
		}
		if got := HasEnded(mark.Add(row.after).In(time.FixedZone("", -3600)),
			mark.Add(500*time.Millisecond)); got != row.want {
			t.Errorf("issued %v after the mark, with a fraction and another zone: got %t, want %t", row.after, got,
				row.want)
		}
	}
	if HasEnded(mark, time.Time{}) {
		t.Error("a session has ended without a mark")
	}
}

func TestLifetime(t *testing.T) {
	t.Parallel()
	if got := Lifetime(12*time.Hour, 24*time.Hour, 3*time.Minute); got != 24*time.Hour+16*time.Minute {
		t.Errorf("got %v", got)
	}
	if got := Lifetime(48*time.Hour, 24*time.Hour, 0); got != 48*time.Hour+10*time.Minute {
		t.Errorf("got %v", got)
	}
}

// TestPairs: a pair is the same for the sign-in and the request only if tenant, entity ID, issuer, value
// and index are, byte for byte. It has no key in common with marks of signed requests, nor have its two
// keys with each other.
func TestPairs(t *testing.T) {
	t.Parallel()
	if got := Pairs(ours, "ann", nil); got != nil {
		t.Errorf("without an index: got %v", got)
	}
	if got := Pairs(ours, "ann", []string{"2", "1", "2"}); len(got) != 2 {
		t.Errorf("two indexes, one of them twice: got %d pairs", len(got))
	}
	seen := map[string]string{}
	note := func(what, key string) {
		t.Helper()
		if other, known := seen[key]; known {
			t.Errorf("%s and %s have the key %s", what, other, key)
		}
		seen[key] = what
	}
	for _, at := range []Service{
		ours,
		{"b", ours.EntityID, ours.Issuer},
		{ours.Tenant, "b", ours.Issuer},
		{ours.Tenant, ours.EntityID, "b"},
	} {
		for _, value := range []string{"ann@example.com", "Ann@example.com", "ann"} {
			for _, index := range []string{"1", "2", ""} {
				pair := Pairs(at, value, []string{index})[0]
				note(fmt.Sprint("the claim of ", at, value, index), pair.Claim)
				note(fmt.Sprint("the mark of ", at, value, index), pair.Mark)
			}
		}
	}
	for _, key := range (Request{NameID{Value: "ann"}, []string{"1"}}).Keys(ours) {
		note("a signed request", key)
	}
	// Another program made these, from the description in package storekey.
	want := Pair{Claim: "v1/out/giszrYfBSKCi/wiLyIjuHas24gROpQLgegF1-h9g1pozpOYUrgJkvbzc",
		Mark: "v1/out/giszrYfBSKCi/Xz8hy-nDWmBZ0CpWrF2NvwP_a-P9d1j9frBEnIGeQy8"}
	if got := Pairs(ours, "Ann@example.com", []string{"_1"}); !slices.Equal(got, []Pair{want}) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// TestIndexWithWhiteSpace: an element may have white space around its text that the attribute of the
// sign-in does not have.
func TestIndexWithWhiteSpace(t *testing.T) {
	t.Parallel()
	name := NameID{Value: "ann"}
	plain := Session{NameID: name, Indexes: []string{"_1"}}.Keys(ours)
	for _, index := range []string{"_1", " _1", "\n\t_1\r\n", "_1 "} {
		raised := Request{name, []string{index}}.Keys(ours)
		if !slices.ContainsFunc(raised, func(key string) bool { return slices.Contains(plain, key) }) {
			t.Errorf("%q does not end the session with _1", index)
		}
		if got := (Session{NameID: name, Indexes: []string{index}}).Keys(ours); !slices.Equal(got, plain) {
			t.Errorf("a session with %q has other keys than one with _1", index)
		}
	}
}
