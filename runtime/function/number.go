package function

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/mcpc-dev/mcpc/runtime/internal/args"
)

// significant is the number of digits a quotient without a finite decimal
// expansion is rounded to, that of IEEE 754's decimal128.
const significant = 34

// Number converts as HCL does: text that is a JSON number is a number.
func Number(v any) (json.Number, bool) {
	switch v := v.(type) {
	case json.Number:
		return v, true
	case string:
		if IsNumber(v) && InRange(v) {
			return json.Number(v), true
		}
	}
	return "", false
}

// small reads a number that is written as an integer of at most 18 digits, so
// that sums and differences of two cannot overflow.
func small(n json.Number) (int64, bool) {
	if len(n) > 18 {
		return 0, false
	}
	i, err := strconv.ParseInt(string(n), 10, 64)
	return i, err == nil
}

func rat(n json.Number) *big.Rat {
	r, ok := new(big.Rat).SetString(string(n))
	if !ok {
		// Every number of a call went through args, which limits exponents.
		panic("function: not a number: " + strconv.Quote(string(n)))
	}
	return r
}

// Whole converts to an int, if v is a whole number that fits.
func Whole(v any) (int, bool) {
	n, ok := Number(v)
	if !ok {
		return 0, false
	}
	if i, ok := small(n); ok {
		return int(i), int64(int(i)) == i
	}
	r := rat(n)
	if !r.IsInt() || !r.Num().IsInt64() {
		return 0, false
	}
	i := r.Num().Int64()
	return int(i), int64(int(i)) == i
}

// Compare is -1, 0 or 1 as a is less than, equal to or greater than b.
func Compare(a, b json.Number) int {
	if x, ok := small(a); ok {
		if y, ok := small(b); ok {
			switch {
			case x < y:
				return -1
			case x > y:
				return 1
			}
			return 0
		}
	}
	return rat(a).Cmp(rat(b))
}

// number writes r in plain decimal notation.
func number(r *big.Rat) json.Number {
	if r.IsInt() {
		return json.Number(r.Num().String())
	}
	places, finite := r.FloatPrec()
	if !finite {
		// The decimal exponent, at most one too low, from the binary one.
		exponent := int(float64(r.Num().BitLen()-r.Denom().BitLen()) * 0.30103)
		places = max(significant-exponent, 0)
		return json.Number(strings.TrimSuffix(strings.TrimRight(shorten(r, places), "0"), "."))
	}
	return json.Number(r.FloatString(places))
}

// shorten writes r with places decimals and then cuts it to the significant ones.
func shorten(r *big.Rat, places int) string {
	s := r.FloatString(places)
	digits := strings.TrimLeft(strings.NewReplacer("-", "", ".", "").Replace(s), "0")
	if extra := len(digits) - significant; extra > 0 && extra <= places {
		return r.FloatString(places - extra)
	}
	return s
}

func arithmetic(op byte) func([]any) (any, error) {
	return func(in []any) (any, error) {
		a, err := numberAt(in, 0)
		if err != nil {
			return nil, err
		}
		b, err := numberAt(in, 1)
		if err != nil {
			return nil, err
		}
		if op == '+' || op == '-' {
			if x, ok := small(a); ok {
				if y, ok := small(b); ok {
					if op == '-' {
						y = -y
					}
					return json.Number(strconv.FormatInt(x+y, 10)), nil
				}
			}
		}
		x, y := rat(a), rat(b)
		switch op {
		case '+':
			x.Add(x, y)
		case '-':
			x.Sub(x, y)
		case '*':
			x.Mul(x, y)
		default:
			if y.Sign() == 0 {
				return nil, errDivision
			}
			if op == '/' {
				x.Quo(x, y)
				break
			}
			q := truncate(new(big.Rat).Quo(x, y))
			x.Sub(x, q.Mul(q, y))
		}
		return bounded(number(x))
	}
}

// bounded keeps results within what a number may be on its way in, so that
// products of products stay cheap.
func bounded(n json.Number) (any, error) {
	if len(n) > 4*args.MaxNumberBytes {
		return nil, errTooLong
	}
	return n, nil
}

func truncate(r *big.Rat) *big.Rat {
	return new(big.Rat).SetInt(new(big.Int).Quo(r.Num(), r.Denom()))
}

// floor is the greatest integer that is not greater than r.
func floor(r *big.Rat) *big.Int {
	// Div rounds towards minus infinity for the positive denominator of a Rat.
	return new(big.Int).Div(r.Num(), r.Denom())
}

func rounding(up bool) func([]any) (any, error) {
	return func(in []any) (any, error) {
		n, err := numberAt(in, 0)
		if err != nil {
			return nil, err
		}
		if _, ok := small(n); ok {
			return n, nil
		}
		r := rat(n)
		if !up {
			return json.Number(floor(r).String()), nil
		}
		i := floor(r.Neg(r))
		return json.Number(i.Neg(i).String()), nil
	}
}

func extreme(sign int) func([]any) (any, error) {
	return func(in []any) (any, error) {
		best, err := numberAt(in, 0)
		if err != nil {
			return nil, err
		}
		for i := range in[1:] {
			n, err := numberAt(in, i+1)
			if err != nil {
				return nil, err
			}
			if Compare(n, best) == sign {
				best = n
			}
		}
		return best, nil
	}
}

func ordering(holds func(int) bool) func([]any) (any, error) {
	return func(in []any) (any, error) {
		a, err := numberAt(in, 0)
		if err != nil {
			return nil, err
		}
		b, err := numberAt(in, 1)
		if err != nil {
			return nil, err
		}
		return holds(Compare(a, b)), nil
	}
}

func numberAt(in []any, i int) (json.Number, error) {
	n, ok := Number(in[i])
	if !ok {
		return "", &OperandError{i, "a number"}
	}
	return n, nil
}

func wholeAt(in []any, i int) (int, error) {
	n, ok := Whole(in[i])
	if !ok {
		return 0, &OperandError{i, "a whole number"}
	}
	return n, nil
}

func abs(in []any) (any, error) {
	n, err := numberAt(in, 0)
	return json.Number(strings.TrimPrefix(string(n), "-")), err
}

func neg(in []any) (any, error) {
	n, err := numberAt(in, 0)
	if err != nil {
		return nil, err
	}
	if digits, ok := strings.CutPrefix(string(n), "-"); ok {
		return json.Number(digits), nil
	}
	if rat(n).Sign() == 0 {
		return n, nil
	}
	return "-" + n, nil
}

func sum(in []any) (any, error) {
	list, err := listAt(in, 0)
	if err != nil {
		return nil, err
	}
	total := any(json.Number("0"))
	add := arithmetic('+')
	for i, v := range list {
		if _, ok := Number(v); !ok {
			return nil, fmt.Errorf("element %d is %s, not a number", i, Kind(v))
		}
		if total, err = add([]any{total, v}); err != nil {
			return nil, err
		}
	}
	return total, nil
}

// round rounds to a number of decimals, halves away from zero.
func round(in []any) (any, error) {
	n, err := numberAt(in, 0)
	if err != nil {
		return nil, err
	}
	places := 0
	if len(in) > 1 {
		if places, err = wholeAt(in, 1); err != nil {
			return nil, err
		}
	}
	if places < 0 || places > 100 {
		return nil, errors.New("the number of decimals is 0 to 100")
	}
	r, ok := new(big.Rat).SetString(rat(n).FloatString(places))
	if !ok {
		return nil, errTooLong
	}
	return bounded(number(r))
}

func pow(in []any) (any, error) {
	n, err := numberAt(in, 0)
	if err != nil {
		return nil, err
	}
	e, err := wholeAt(in, 1)
	if err != nil {
		return nil, err
	}
	base := rat(n)
	if size := base.Num().BitLen() + base.Denom().BitLen(); e > 10_000 || e < -10_000 || size*max(e, -e) > 20_000 {
		return nil, errTooLong
	}
	if e < 0 {
		if base.Sign() == 0 {
			return nil, errDivision
		}
		base.Inv(base)
		e = -e
	}
	exponent := big.NewInt(int64(e))
	r := new(big.Rat).SetFrac(new(big.Int).Exp(base.Num(), exponent, nil), new(big.Int).Exp(base.Denom(), exponent, nil))
	return bounded(number(r))
}

func logarithm(in []any) (any, error) {
	var f [2]float64
	for i := range f {
		n, err := numberAt(in, i)
		if err != nil {
			return nil, err
		}
		f[i], _ = rat(n).Float64()
	}
	v := math.Log(f[0]) / math.Log(f[1])
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil, errors.New("there is no such logarithm")
	}
	return json.Number(strconv.FormatFloat(v, 'f', -1, 64)), nil
}

func signum(in []any) (any, error) {
	n, err := numberAt(in, 0)
	if err != nil {
		return nil, err
	}
	return json.Number(strconv.Itoa(rat(n).Sign())), nil
}

// parseInt reads digits of a base from 2 to 62: 0-9, a-z, A-Z.
func parseInt(in []any) (any, error) {
	s, err := textAt(in, 0)
	if err != nil {
		return nil, err
	}
	base, err := wholeAt(in, 1)
	if err != nil {
		return nil, err
	}
	if base < 2 || base > 62 {
		return nil, errors.New("the base is 2 to 62")
	}
	i, ok := new(big.Int), len(s) <= args.MaxNumberBytes && !strings.Contains(s, "_")
	if ok {
		i, ok = i.SetString(s, base)
	}
	if !ok {
		return nil, Quoting("%.40q is no whole number of base %s", s, strconv.Itoa(base))
	}
	return bounded(json.Number(i.String()))
}

// IsNumber reports whether s is a JSON number (RFC 8259).
func IsNumber(s string) bool {
	raw := jsontext.Value(s)
	return raw.Kind() == '0' && raw.IsValid() && strings.TrimSpace(s) == s
}

// InRange reports whether a JSON number is one that can be computed with.
func InRange(number string) bool { return args.NumberInRange(number) }
