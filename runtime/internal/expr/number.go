package expr

import (
	"encoding/json"
	"math/big"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/mcpc-dev/mcpc/runtime/internal/args"
)

// significant is the number of digits a quotient without a finite decimal
// expansion is rounded to, that of IEEE 754's decimal128.
const significant = 34

// numberOf converts as HCL does: text that is a JSON number is a number.
func numberOf(v any) (json.Number, bool) {
	switch v := v.(type) {
	case json.Number:
		return v, true
	case string:
		if raw := jsontext.Value(v); raw.Kind() == '0' && raw.IsValid() && strings.TrimSpace(v) == v && args.NumberInRange(v) {
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
		panic("expr: not a number: " + strconv.Quote(string(n)))
	}
	return r
}

// wholeOf converts to an int, if v is a whole number that fits.
func wholeOf(v any) (int, bool) {
	n, ok := numberOf(v)
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

func compareNumbers(a, b json.Number) int {
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
		return json.Number(strings.TrimSuffix(strings.TrimRight(round(r, places), "0"), "."))
	}
	return json.Number(r.FloatString(places))
}

// round writes r with places decimals and then cuts it to the significant ones.
func round(r *big.Rat, places int) string {
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
			if compareNumbers(n, best) == sign {
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
		return holds(compareNumbers(a, b)), nil
	}
}

func numberAt(in []any, i int) (json.Number, error) {
	n, ok := numberOf(in[i])
	if !ok {
		return "", &operandError{i, "a number"}
	}
	return n, nil
}

func wholeAt(in []any, i int) (int, error) {
	n, ok := wholeOf(in[i])
	if !ok {
		return 0, &operandError{i, "a whole number"}
	}
	return n, nil
}
