package hclspec

import (
	"errors"
	"math/big"
	"strconv"
	"strings"
)

// Numbers are decimal: a literal keeps its digits, and arithmetic on decimals
// is exact. Only a division that does not end is rounded, to 34 significant
// digits.

// decimal is coef × 10^exp.
type decimal struct {
	coef *big.Int
	exp  int
}

const (
	maxExponent    = 400
	divisionDigits = 34
)

var errTooLarge = errors.New("the number is too large")

// canonicalNumber makes a JSON number of a number literal of HCL, which may
// have leading zeros.
func canonicalNumber(s string) (string, error) {
	rest := s
	sign := ""
	if strings.HasPrefix(rest, "-") {
		sign, rest = "-", rest[1:]
	}
	for len(rest) > 1 && rest[0] == '0' && rest[1] >= '0' && rest[1] <= '9' {
		rest = rest[1:]
	}
	if !isNumber(sign + rest) {
		return "", errors.New(strconv.Quote(s) + " is no number")
	}
	return sign + rest, nil
}

// isNumber reports whether s is a JSON number (RFC 8259).
func isNumber(s string) bool {
	s = strings.TrimPrefix(s, "-")
	digits := func() bool {
		n := 0
		for n < len(s) && s[n] >= '0' && s[n] <= '9' {
			n++
		}
		s = s[n:]
		return n > 0
	}
	if strings.HasPrefix(s, "0") {
		s = s[1:]
	} else if !digits() {
		return false
	}
	if strings.HasPrefix(s, ".") {
		s = s[1:]
		if !digits() {
			return false
		}
	}
	if s != "" && (s[0] == 'e' || s[0] == 'E') {
		s = s[1:]
		if s != "" && (s[0] == '+' || s[0] == '-') {
			s = s[1:]
		}
		if !digits() {
			return false
		}
	}
	return s == ""
}

// parseDecimal reads a JSON number.
func parseDecimal(s string) (decimal, error) {
	mantissa, exponent, _ := strings.Cut(strings.ToLower(s), "e")
	exp := 0
	if exponent != "" {
		n, err := strconv.Atoi(exponent)
		if err != nil {
			return decimal{}, errTooLarge
		}
		exp = n
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	exp -= len(fraction)
	if len(mantissa) > 2*maxExponent || exp > maxExponent || exp < -maxExponent {
		return decimal{}, errTooLarge
	}
	coef, ok := new(big.Int).SetString(whole+fraction, 10)
	if !ok {
		return decimal{}, errors.New(strconv.Quote(s) + " is no number")
	}
	return decimal{coef, exp}, nil
}

func pow10(n int) *big.Int { return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil) }

// align brings two decimals to the same exponent.
func align(a, b decimal) (x, y *big.Int, exp int) {
	exp = min(a.exp, b.exp)
	return new(big.Int).Mul(a.coef, pow10(a.exp-exp)), new(big.Int).Mul(b.coef, pow10(b.exp-exp)), exp
}

func (a decimal) cmp(b decimal) int {
	x, y, _ := align(a, b)
	return x.Cmp(y)
}

func (a decimal) add(b decimal) decimal {
	x, y, exp := align(a, b)
	return decimal{x.Add(x, y), exp}
}

func (a decimal) neg() decimal { return decimal{new(big.Int).Neg(a.coef), a.exp} }

func (a decimal) mul(b decimal) decimal {
	return decimal{new(big.Int).Mul(a.coef, b.coef), a.exp + b.exp}
}

var errDivisionByZero = errors.New("division by zero")

func (a decimal) div(b decimal) (decimal, error) {
	if b.coef.Sign() == 0 {
		return decimal{}, errDivisionByZero
	}
	x, y, _ := align(a, b)
	quotient := new(big.Rat).SetFrac(x, y)
	if places, ends := quotient.FloatPrec(); ends {
		return parseDecimal(quotient.FloatString(places))
	}
	shift := max(0, divisionDigits+2+len(y.Text(10))-len(x.Text(10)))
	// One digit more remembers that something was cut, so that rounding is right.
	q := new(big.Int).Quo(x.Mul(x, pow10(shift)), y)
	q.Add(q.Mul(q, big.NewInt(10)), big.NewInt(int64(quotient.Sign())))
	return decimal{q, -shift - 1}.round(divisionDigits), nil
}

// round keeps n significant digits, halves to even.
func (a decimal) round(n int) decimal {
	cut := len(new(big.Int).Abs(a.coef).Text(10)) - n
	if cut <= 0 {
		return a
	}
	unit := pow10(cut)
	q, r := new(big.Int).QuoRem(a.coef, unit, new(big.Int))
	twice := r.Abs(r).Lsh(r, 1)
	if c := twice.Cmp(unit); c > 0 || c == 0 && q.Bit(0) == 1 {
		q.Add(q, big.NewInt(int64(a.coef.Sign())))
	}
	return decimal{q, a.exp + cut}
}

// mod is the remainder of the division cut towards zero; it has the sign of a.
func (a decimal) mod(b decimal) (decimal, error) {
	if b.coef.Sign() == 0 {
		return decimal{}, errDivisionByZero
	}
	x, y, exp := align(a, b)
	return decimal{x.Rem(x, y), exp}, nil
}

// whole rounds to an integer, down or up.
func (a decimal) whole(up bool) decimal {
	if a.exp >= 0 {
		return a
	}
	q, m := new(big.Int).DivMod(a.coef, pow10(-a.exp), new(big.Int))
	if up && m.Sign() != 0 {
		q.Add(q, big.NewInt(1))
	}
	return decimal{q, 0}
}

// String is the number in plain digits, without needless zeros.
func (a decimal) text() (string, error) {
	digits := new(big.Int).Abs(a.coef).Text(10)
	exp := a.exp
	for exp < 0 && len(digits) > 1 && digits[len(digits)-1] == '0' {
		digits, exp = digits[:len(digits)-1], exp+1
	}
	if a.coef.Sign() == 0 {
		return "0", nil
	}
	if exp > maxExponent || exp < -2*maxExponent || len(digits) > 4*maxExponent {
		return "", errTooLarge
	}
	switch {
	case exp >= 0:
		digits += strings.Repeat("0", exp)
	case len(digits) > -exp:
		digits = digits[:len(digits)+exp] + "." + digits[len(digits)+exp:]
	default:
		digits = "0." + strings.Repeat("0", -exp-len(digits)) + digits
	}
	if a.coef.Sign() < 0 {
		digits = "-" + digits
	}
	return digits, nil
}
