package main

import (
	"fmt"
	"strings"
)

// An edit is one change of a text.
type edit func(text string) (string, error)

// swap replaces the one place that reads before. None, or more than one, is a fault in the vector.
func swap(before, after string) edit {
	return func(text string) (string, error) {
		if n := strings.Count(text, before); n != 1 {
			return "", fmt.Errorf("%.60q occurs %d times", before, n)
		}
		return strings.Replace(text, before, after, 1), nil
	}
}

// swapAll replaces every place that reads before.
func swapAll(before, after string) edit {
	return func(text string) (string, error) {
		if !strings.Contains(text, before) {
			return "", fmt.Errorf("%.60q does not occur", before)
		}
		return strings.ReplaceAll(text, before, after), nil
	}
}

func cut(what string) edit                 { return swap(what, "") }
func insertAfter(place, what string) edit  { return swap(place, place+what) }
func insertBefore(place, what string) edit { return swap(place, what+place) }

func put(before, after string) edit {
	return func(text string) (string, error) { return before + text + after, nil }
}

// all makes one change of several edits.
func all(edits ...edit) edit {
	return func(text string) (string, error) {
		var err error
		for _, e := range edits {
			if text, err = e(text); err != nil {
				return "", err
			}
		}
		return text, nil
	}
}

// part gives the element that begins with start, which has no element of its own name inside.
func part(text, start, end string) (string, error) {
	from := strings.Index(text, start)
	if from < 0 {
		return "", fmt.Errorf("%.60q does not occur", start)
	}
	to := strings.Index(text[from:], end)
	if to < 0 {
		return "", fmt.Errorf("%.60q does not occur", end)
	}
	return text[from : from+to+len(end)], nil
}

func assertionIn(text string) (string, error) { return part(text, "<Assertion ", "</Assertion>") }
func signatureIn(text string) (string, error) { return part(text, "<Signature ", "</Signature>") }

// take hands an element to the edit that follows.
func take(start, end string, then func(element string) edit) edit {
	return func(text string) (string, error) {
		element, err := part(text, start, end)
		if err != nil {
			return "", err
		}
		return then(element)(text)
	}
}

func cutElement(start, end string) edit { return take(start, end, cut) }

// moveSignature takes the only signature out and hands it to an edit of what is left.
func moveSignature(to func(signature string) edit) edit {
	return take("<Signature ", "</Signature>",
		func(signature string) edit { return all(cut(signature), to(signature)) })
}

// numbered writes a text n times with the numbers from 1.
func numbered(n int, format string) string {
	var b strings.Builder
	for i := 1; i <= n; i++ {
		fmt.Fprintf(&b, format, i)
	}
	return b.String()
}
