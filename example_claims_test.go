package saml_test

import (
	"fmt"
	"log"

	"github.com/iomete/saml"
)

// Attributes that no field of Identity has. In a service the attributes are those of a Login
// (login.Assertion.Attributes), or of a session (Session.Attributes).
func ExampleAttributes_Decode() {
	attributes := saml.Attributes{
		{Name: "department", Values: []string{"Data"}},
		{Name: "https://example.com/claims/projects", Values: []string{"lake", "warehouse"}},
		{Name: "level", Values: []string{"three"}},
	}
	var claims struct {
		Department string   `saml:"department"`
		Projects   []string `saml:"https://example.com/claims/projects"`
		Contractor bool     `saml:"contractor"`
	}
	if err := attributes.Decode(&claims); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%+v\n", claims)

	var level struct {
		Level int8 `saml:"level"`
	}
	for _, fault := range saml.Errors(attributes.Decode(&level)) {
		fmt.Println(fault.Message)
		fmt.Println("got", fault.Got, "want", fault.Want)
	}
	// Output:
	// {Department:Data Projects:[lake warehouse] Contractor:false}
	// the field Level (int8) takes the attribute "level", which has a value that does not fit
	// got "three" want a whole number from -128 to 127
}
