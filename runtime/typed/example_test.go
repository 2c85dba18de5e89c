package typed_test

import (
	"fmt"

	"github.com/mcpc-dev/mcpc/runtime/typed"
)

// An optional member that may be null is absent, null or a value.
func ExampleNullable() {
	type patch struct {
		Note typed.Nullable[string] `json:"note,omitzero"`
	}
	for _, p := range []patch{{}, {typed.Null[string]()}, {typed.Some("by hand")}} {
		b, err := typed.Marshal(p)
		fmt.Println(string(b), err)
	}
	var p patch
	if err := typed.Unmarshal([]byte(`{"note":null}`), &p); err != nil {
		fmt.Println(err)
	}
	_, there := p.Note.Get()
	fmt.Println(there, p.Note.IsNull(), p.Note.IsZero())
	// Output:
	// {} <nil>
	// {"note":null} <nil>
	// {"note":"by hand"} <nil>
	// false true false
}

// Payment is as generated for {"oneOf": [{"title": "Card", …}, {"type": "string"}]}.
type Payment struct{ typed.Union }

type PaymentCard struct {
	Number string `json:"number"`
}

func (u Payment) AsCard() (v PaymentCard, err error) { err = u.As(&v); return v, err }
func (u Payment) AsString() (v string, err error)    { err = u.As(&v); return v, err }
func (u *Payment) SetCard(v PaymentCard) (err error) { u.Union, err = typed.UnionOf(v); return err }
func (u *Payment) SetString(v string) (err error)    { u.Union, err = typed.UnionOf(v); return err }

// A union keeps the JSON that came and is read as the type that fits.
func ExampleUnion() {
	var p Payment
	if err := typed.Unmarshal([]byte(`{"number":"4111"}`), &p); err != nil {
		fmt.Println(err)
	}
	card, err := p.AsCard()
	fmt.Println(card.Number, err)
	_, err = p.AsString()
	fmt.Println(err)
	if err := p.SetString("invoice"); err != nil {
		fmt.Println(err)
	}
	fmt.Println(string(p.JSON()))
	// Output:
	// 4111 <nil>
	// the value: an object does not fit here
	// "invoice"
}

// Numbers that a float64 would round keep their digits.
func ExampleNumber() {
	var total typed.Number
	if err := typed.Unmarshal([]byte(`1234567890123456.78`), &total); err != nil {
		fmt.Println(err)
	}
	rounded, err := total.Float64()
	fmt.Printf("%s %.2f %v\n", total, rounded, err)
	// Output:
	// 1234567890123456.78 1234567890123456.75 <nil>
}
