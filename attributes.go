package saml

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
)

// Decode sets the fields of the struct that v points to. A field takes the attribute whose Name is
// in its tag:
//
//	var claims struct {
//		Department string   `saml:"department"`
//		Projects   []string `saml:"https://example.com/claims/projects"`
//		Contractor bool     `saml:"contractor"`
//		Level      int      `saml:"level"`
//	}
//	err := login.Assertion.Attributes.Decode(&claims)
//
// A field is a string, a []string, a bool (true, false, 1 or 0; case does not count) or an int or
// uint of any size (decimal), or a type made of one of these. All but []string take an attribute
// with exactly one value; values with markup are left out of a []string. If there is no such
// attribute, or if it has no value or one empty text, the field becomes its zero value: a struct
// that is used twice keeps nothing of the user before. Fields without a tag, and those with the tag
// "-", stay as they are; structs that are embedded without a tag are filled too.
//
// All faults are reported at once, as joined *Error values (see Errors), and then v is unchanged.
// They have CodeAttributes and the name of the struct's field in Field, or CodeConfig if v or the
// type of a field cannot be used. Error.Got is the value, which is personal, so Error leaves it out.
func (a Attributes) Decode(v any) error {
	target := reflect.ValueOf(v)
	if target.Kind() != reflect.Pointer || target.IsNil() || target.Elem().Kind() != reflect.Struct {
		return refuse(CodeConfig, "Attributes.Decode cannot fill this", fmt.Sprintf("%T", v), "a pointer to a struct, and not nil").
			advised("Pass the address of a struct whose fields have tags such as `saml:\"department\"`.")
	}
	d := attributeDecoder{attributes: a}
	filled := reflect.New(target.Elem().Type()).Elem()
	filled.Set(target.Elem())
	d.fill(filled)
	if err := joined(d.faults, nil); err != nil {
		return err
	}
	target.Elem().Set(filled)
	return nil
}

type attributeDecoder struct {
	attributes Attributes
	faults     []*Error
}

func (d *attributeDecoder) fill(structure reflect.Value) {
	for i := range structure.NumField() {
		field := structure.Type().Field(i)
		name, tagged := field.Tag.Lookup("saml")
		switch {
		case name == "-":
		case tagged && !field.IsExported():
			d.fault(field, CodeConfig, "is not exported, so it cannot be set", "", "a field whose name begins with a capital letter")
		case tagged && name == "":
			d.fault(field, CodeConfig, "has an empty tag", "", "the Name of an attribute, or no tag")
		case tagged:
			d.field(field, structure.Field(i), name)
		case field.Anonymous && field.Type.Kind() == reflect.Struct:
			d.fill(structure.Field(i))
		}
	}
}

func (d *attributeDecoder) field(field reflect.StructField, to reflect.Value, name string) {
	if !decodable(to.Type()) {
		d.fault(field, CodeConfig, "has a type that no attribute fits", to.Type().String(), "string, []string, bool, int or uint")
		return
	}
	to.SetZero()
	i := slices.IndexFunc(d.attributes, func(a Attribute) bool { return a.Name == name })
	if i < 0 {
		return
	}
	a := &d.attributes[i]
	if !a.hasValue() && !a.leftOut {
		return
	}
	if to.Kind() == reflect.Slice {
		list := reflect.MakeSlice(to.Type(), len(a.Values), len(a.Values))
		for i, value := range a.Values {
			list.Index(i).SetString(value)
		}
		to.Set(list)
		return
	}
	about := "takes the attribute " + quote(name) + ", which "
	switch {
	case a.leftOut:
		d.fault(field, CodeAttributes, about+"has a value with markup", "", "one value that is text")
	case len(a.Values) > 1:
		d.fault(field, CodeAttributes, about+fmt.Sprintf("has %d values", len(a.Values)), "", "one value, or a field of the type []string")
	default:
		if want := setOne(to, a.Values[0]); want != "" {
			d.fault(field, CodeAttributes, about+"has a value that does not fit", a.Values[0], want)
		}
	}
}

func decodable(t reflect.Type) bool {
	if t.Kind() == reflect.Slice {
		return t.Elem().Kind() == reflect.String
	}
	return t.Kind() == reflect.String || t.Kind() == reflect.Bool || isInt(t.Kind()) || isUint(t.Kind())
}

func isInt(k reflect.Kind) bool  { return k >= reflect.Int && k <= reflect.Int64 }
func isUint(k reflect.Kind) bool { return k >= reflect.Uint && k <= reflect.Uint64 }

// setOne sets to, of a decodable type that is no slice. It returns what is wanted if the value does
// not fit, "" if it does. White space around a number or a bool does not count (XML Schema Part 2
// §4.3.6).
func setOne(to reflect.Value, value string) (want string) {
	bits := 0
	if k := to.Kind(); isInt(k) || isUint(k) {
		bits = to.Type().Bits()
	}
	switch k := to.Kind(); {
	case k == reflect.String:
		to.SetString(value)
	case k == reflect.Bool:
		switch foldASCII(trimSpace(value)) {
		case "true", "1":
			to.SetBool(true)
		case "false", "0":
			to.SetBool(false)
		default:
			return "true, false, 1 or 0"
		}
	case isInt(k):
		n, err := strconv.ParseInt(trimSpace(value), 10, bits)
		if err != nil {
			most := int64(math.MaxInt64) >> (64 - bits)
			return fmt.Sprintf("a whole number from %d to %d", -most-1, most)
		}
		to.SetInt(n)
	default:
		n, err := strconv.ParseUint(trimSpace(value), 10, bits)
		if err != nil {
			return fmt.Sprintf("a whole number from 0 to %d", uint64(math.MaxUint64)>>(64-bits))
		}
		to.SetUint(n)
	}
	return ""
}

func (d *attributeDecoder) fault(field reflect.StructField, code Code, message, got, want string) {
	e := refuse(code, "the field "+field.Name+" ("+field.Type.String()+") "+message, got, want).inField(field.Name)
	e.Hint = "Change the type of the field or its tag."
	if code == CodeAttributes {
		e.Hint = "Change the value of the attribute at the identity provider, or the type of the field."
	}
	d.faults = append(d.faults, e)
}
