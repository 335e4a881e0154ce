package saml

import (
	"errors"
	"math"
	"reflect"
	"strconv"
	"strings"
	"testing"
)

type (
	level  int8
	team   string
	common struct {
		Department string `saml:"department"`
	}
	hiddenCommon struct {
		Site string `saml:"site"`
	}
)

func TestDecodeAttributes(t *testing.T) {
	t.Parallel()
	type claims struct {
		common
		hiddenCommon
		Text     string   `saml:"text"`
		Team     team     `saml:"https://example.com/claims/team, with \"quotes\""`
		Projects []string `saml:"projects"`
		Teams    []team   `saml:"projects"`
		On       bool     `saml:"on"`
		Off      bool     `saml:"off"`
		Digit    bool     `saml:"digit"`
		Int      int      `saml:"int"`
		Least    level    `saml:"least"`
		Most     uint64   `saml:"most"`
		Int64    int64    `saml:"int64"`
		Byte     uint8    `saml:"byte"`
		Absent   string   `saml:"absent"`
		NoValue  bool     `saml:"no value"`
		Empty    int      `saml:"empty"`
		None     []string `saml:"no value"`
		Untagged string
		Dash     string `saml:"-"`
		hidden   string
		Other    map[string]int
	}
	attributes := Attributes{
		{Name: "department", Values: []string{"Engineering"}}, {Name: "site", Values: []string{"Berlin"}}, {Name: "text", Values: []string{" a\n"}},
		{Name: `https://example.com/claims/team, with "quotes"`, Values: []string{"Ünlü"}}, {Name: "projects", Values: []string{"a", "", "b"}},
		{Name: "on", Values: []string{" True\n"}}, {Name: "off", Values: []string{"FALSE"}}, {Name: "digit", Values: []string{"1"}},
		{Name: "int", Values: []string{" -42 "}}, {Name: "least", Values: []string{"-128"}}, {Name: "most", Values: []string{"18446744073709551615"}},
		{Name: "int64", Values: []string{"+9223372036854775807"}}, {Name: "byte", Values: []string{"255"}},
		{Name: "no value"}, {Name: "empty", Values: []string{""}}, {Name: "Untagged", Values: []string{"x"}}, {Name: "-", Values: []string{"x"}},
	}
	got := claims{Off: true, Absent: "of the user before", NoValue: true, Empty: 7, None: []string{"x"}, Untagged: "stays", Dash: "stays", hidden: "stays",
		Other: map[string]int{"stays": 1}}
	if err := attributes.Decode(&got); err != nil {
		t.Fatal(err)
	}
	want := claims{common{"Engineering"}, hiddenCommon{"Berlin"}, " a\n", "Ünlü", []string{"a", "", "b"}, []team{"a", "", "b"}, true, false, true, -42, -128,
		math.MaxUint64, math.MaxInt64, 255, "", false, 0, nil, "stays", "stays", "stays", map[string]int{"stays": 1}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if got.Projects[0] = "changed"; attributes[4].Values[0] != "a" {
		t.Error("the struct and the assertion share a slice")
	}
	if err := Attributes(nil).Decode(&got); err != nil || got.Text != "" || got.Department != "" {
		t.Errorf("without attributes: got %+v, %v", got, err)
	}
}

// TestDecodeFaults: an error names the field, the attribute, what was got and what was wanted; the
// struct is unchanged then.
func TestDecodeFaults(t *testing.T) {
	t.Parallel()
	attributes := Attributes{{Name: "two", Values: []string{"a", "b"}}, {Name: "word", Values: []string{"secret"}}, {Name: "big", Values: []string{"128"}},
		{Name: "negative", Values: []string{"-1"}}, {Name: "fraction", Values: []string{"1.5"}}, {Name: "markup", Values: []string{"a"}, leftOut: true},
		{Name: "only markup", leftOut: true}, {Name: "good", Values: []string{"x"}}}
	for name, row := range map[string]struct {
		into    any
		code    Code
		message []string
		got     string
		want    string
	}{
		"two values": {&struct {
			F string `saml:"two"`
		}{}, CodeAttributes, []string{"field F (string)", `"two"`, "2 values"}, "", "one value"},
		"two values for an int": {&struct {
			F int `saml:"two"`
		}{}, CodeAttributes, []string{"field F (int)", `"two"`, "2 values"}, "", "one value"},
		"a word for a bool": {&struct {
			F bool `saml:"word"`
		}{}, CodeAttributes, []string{"field F (bool)", `"word"`}, `"secret"`, "true, false, 1 or 0"},
		"a word for an int": {&struct {
			F int `saml:"word"`
		}{}, CodeAttributes, []string{"field F (int)", `"word"`}, `"secret"`, "a whole number from -9223372036854775808 to 9223372036854775807"},
		"too big": {&struct {
			F level `saml:"big"`
		}{}, CodeAttributes, []string{"field F (saml.level)", `"big"`}, `"128"`, "a whole number from -128 to 127"},
		"negative": {&struct {
			F uint16 `saml:"negative"`
		}{}, CodeAttributes, []string{"field F (uint16)", `"negative"`}, `"-1"`, "a whole number from 0 to 65535"},
		"a fraction": {&struct {
			F uint64 `saml:"fraction"`
		}{}, CodeAttributes, []string{"field F (uint64)"}, `"1.5"`, "a whole number from 0 to 18446744073709551615"},
		"a value with markup": {&struct {
			F string `saml:"markup"`
		}{}, CodeAttributes, []string{"field F", `"markup"`, "markup"}, "", "text"},
		"nothing but markup": {&struct {
			F bool `saml:"only markup"`
		}{}, CodeAttributes, []string{"field F", "markup"}, "", "text"},
		"a float": {&struct {
			F float64 `saml:"good"`
		}{}, CodeConfig, []string{"field F"}, `"float64"`, "string, []string, bool, int or uint"},
		"a list of numbers": {&struct {
			F []int `saml:"good"`
		}{}, CodeConfig, []string{"field F"}, `"[]int"`, "string, []string"},
		"a pointer, though the attribute is absent": {&struct {
			F *string `saml:"absent"`
		}{}, CodeConfig, []string{"field F"}, `"*string"`, "string, []string"},
		"a field that is not exported": {&struct {
			f string `saml:"good"` //nolint:unused // the fault is that it cannot be set
		}{}, CodeConfig, []string{"field f", "not exported"}, "", "capital letter"},
		"an empty tag": {&struct {
			F string `saml:""`
		}{}, CodeConfig, []string{"field F", "empty tag"}, "", "the Name of an attribute"},
		"a struct":       {struct{}{}, CodeConfig, nil, `"struct {}"`, "a pointer to a struct"},
		"nil":            {nil, CodeConfig, nil, `"<nil>"`, "a pointer to a struct"},
		"a nil pointer":  {(*common)(nil), CodeConfig, nil, `"*saml.common"`, "not nil"},
		"a map":          {&map[string]string{}, CodeConfig, nil, `"*map[string]string"`, "a pointer to a struct"},
		"a pointer more": {new(*common), CodeConfig, nil, `"**saml.common"`, "a pointer to a struct"},
	} {
		err := attributes.Decode(row.into)
		list := Errors(err)
		if len(list) != 1 || list[0].Code != row.code || list[0].Got != row.got || !strings.Contains(list[0].Want, row.want) || list[0].Hint == "" {
			t.Errorf("%s: got %#v, want %s, got %s, want %q", name, list, string(row.code), row.got, row.want)
			continue
		}
		for _, part := range row.message {
			if !strings.Contains(list[0].Message, part) {
				t.Errorf("%s: got %q, want %q in it", name, list[0].Message, part)
			}
		}
		if row.message != nil && (list[0].Field != "F" && list[0].Field != "f" || strings.Contains(err.Error(), "secret")) {
			t.Errorf("%s: got the field %q, and %v", name, list[0].Field, err)
		}
	}
	var v = struct {
		Good string `saml:"good"`
		A    int    `saml:"word"`
		B    string `saml:"two"`
	}{Good: "before"}
	err := attributes.Decode(&v)
	if list := Errors(err); len(list) != 2 || list[0].Field != "A" || list[1].Field != "B" || !errors.Is(err, CodeAttributes) {
		t.Errorf("got %v, want both faults", err)
	}
	if v.Good != "before" {
		t.Errorf("a struct with a fault was changed: %+v", v)
	}
	lists := struct {
		Markup     []string `saml:"markup"`
		OnlyMarkup []string `saml:"only markup"`
	}{}
	if err := attributes.Decode(&lists); err != nil || len(lists.Markup) != 1 || len(lists.OnlyMarkup) != 0 {
		t.Errorf("lists with markup: got %+v, %v", lists, err)
	}
}

// FuzzDecodeAttributes: no value of an attribute makes Decode panic, and what it accepts is what
// the attribute says.
func FuzzDecodeAttributes(f *testing.F) {
	for _, value := range []string{"", " ", "1", "-128", "128", "+7", "TRUE", "\u212Arue", "99999999999999999999", "0x1", "1_000", "\xff"} {
		f.Add(value, value, false)
		f.Add(value, "x", true)
	}
	f.Fuzz(func(t *testing.T, first, second string, leftOut bool) {
		attributes := Attributes{{Name: "one", Values: []string{first}, leftOut: leftOut}, {Name: "two", Values: []string{first, second}}}
		var text struct {
			V string `saml:"one"`
		}
		if err := attributes.Decode(&text); err == nil && (text.V != first || leftOut) || err != nil && !leftOut {
			t.Errorf("%q, left out %t: got %q, %v", first, leftOut, text.V, err)
		}
		var number struct {
			V level `saml:"one"`
		}
		if err := attributes.Decode(&number); err == nil && first != "" {
			if n, err := strconv.Atoi(strings.Trim(first, " \t\r\n")); err != nil || n != int(number.V) {
				t.Errorf("%q: got %d", first, number.V)
			}
		}
		var on struct {
			V bool `saml:"one"`
		}
		if err := attributes.Decode(&on); err == nil && on.V != (strings.Trim(first, " \t\r\n") == "1" || len(strings.Trim(first, " \t\r\n")) == 4) {
			t.Errorf("%q: got %t", first, on.V)
		}
		var several struct {
			V string   `saml:"two"`
			L []string `saml:"two"`
		}
		if err := attributes.Decode(&several); err == nil || several.L != nil {
			t.Errorf("two values for one: got %+v, %v", several, err)
		}
	})
}
