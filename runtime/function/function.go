// Package function has the functions and operators of the language.
//
// There is one implementation for both evaluators: expressions that are known
// when a spec is loaded are folded with it, all others run with it in a call.
//
// Values are nil, bool, string, [json.Number], []any and map[string]any.
// Meanings are Terraform's and HCL's where those have the name; the
// differences, all on purpose:
//
//   - Numbers are exact. One that is not computed with keeps its text (0.10
//     stays 0.10, 1e400 stays 1e400); arithmetic is rational, and a quotient
//     without a finite decimal expansion is rounded to 34 significant digits.
//     Dividing by zero is an error, not infinity.
//   - Text is never normalised (HCL converts to NFC), and length, substr,
//     strrev and widths in format count code points, not grapheme clusters.
//   - There are no sets: the set functions take and give lists without
//     duplicates, in order of first occurrence.
//   - coalesce is null when all of its arguments are; lookup's default may be
//     left out; contains also finds text in text; trim without a second
//     argument cuts white space; jsonencode does not escape <, > and &;
//     urlencode writes a space as %20; replace takes no regular expressions.
//
// Arguments are hostile: results are limited to [MaxText] bytes of text and
// [MaxElements] elements where they could be more than the arguments hold.
package function

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Limits of what one function may produce.
const (
	MaxText     = 16 << 20 // bytes
	MaxElements = 100_000
)

var (
	errDivision = errors.New("division by zero")
	errTooLong  = errors.New("the result has too many digits")
	errTooLarge = errors.New("the result is too large")
)

// Func is a function or operator.
type Func struct {
	Min, Max int // number of arguments; Max -1 is any
	// Call does not change its arguments; its result may share parts of them.
	// Errors are one sentence; see also [OperandError].
	Call func([]any) (any, error)
}

// OperandError says that an argument has the wrong kind.
type OperandError struct {
	At   int    // counted from 0
	Want string // "text", "a list"
}

func (e *OperandError) Error() string { return fmt.Sprintf("argument %d must be %s", e.At+1, e.Want) }

// Lookup finds a function or operator by name. && and || are not among them:
// they do not evaluate both of their sides.
func Lookup(name string) (Func, bool) {
	f, ok := table[name]
	return f, ok
}

// Names are all functions and operators, sorted.
func Names() []string { return slices.Sorted(maps.Keys(table)) }

// Late reports whether a function gives another value every time, so that it
// can be evaluated in a call only.
func Late(name string) bool { return name == "timestamp" || name == "uuid" }

var table = map[string]Func{
	"upper":        {1, 1, text1(strings.ToUpper)},
	"lower":        {1, 1, text1(strings.ToLower)},
	"title":        {1, 1, text1(title)},
	"snakecase":    {1, 1, text1(func(s string) string { return strings.Join(words(s), "_") })},
	"kebabcase":    {1, 1, text1(func(s string) string { return strings.Join(words(s), "-") })},
	"camelcase":    {1, 1, text1(camel)},
	"trim":         {1, 2, trim},
	"trimspace":    {1, 1, text1(strings.TrimSpace)},
	"trimprefix":   {2, 2, text2(func(s, prefix string) any { return strings.TrimPrefix(s, prefix) })},
	"trimsuffix":   {2, 2, text2(func(s, suffix string) any { return strings.TrimSuffix(s, suffix) })},
	"chomp":        {1, 1, text1(func(s string) string { return strings.TrimRight(s, "\r\n") })},
	"indent":       {2, 2, indent},
	"strrev":       {1, 1, text1(strrev)},
	"replace":      {3, 3, replace},
	"split":        {2, 2, split},
	"join":         {2, -1, join},
	"format":       {1, -1, format},
	"substr":       {3, 3, substr},
	"startswith":   {2, 2, text2(func(s, prefix string) any { return strings.HasPrefix(s, prefix) })},
	"endswith":     {2, 2, text2(func(s, suffix string) any { return strings.HasSuffix(s, suffix) })},
	"strcontains":  {2, 2, text2(func(s, part string) any { return strings.Contains(s, part) })},
	"regex":        {2, 2, regex},
	"regexall":     {2, 2, regexAll},
	"regexreplace": {3, 3, regexReplace},
	"matches":      {2, 2, matches},

	"contains":        {2, 2, contains},
	"length":          {1, 1, length},
	"keys":            {1, 1, keys},
	"values":          {1, 1, values},
	"merge":           {0, -1, merge},
	"lookup":          {2, 3, lookup},
	"zipmap":          {2, 2, zipmap},
	"concat":          {0, -1, concat},
	"flatten":         {1, 1, flatten},
	"distinct":        {1, 1, distinct},
	"compact":         {1, 1, compact},
	"reverse":         {1, 1, reverse},
	"sort":            {1, 1, sortTexts},
	"slice":           {3, 3, slice},
	"element":         {2, 2, element},
	"index":           {2, 2, indexOf},
	"chunklist":       {2, 2, chunklist},
	"range":           {1, 3, numberRange},
	"one":             {1, 1, one},
	"alltrue":         {1, 1, quantifier(true)},
	"anytrue":         {1, 1, quantifier(false)},
	"setunion":        {1, -1, setUnion},
	"setintersection": {1, -1, setIntersection},
	"setsubtract":     {2, 2, setSubtract},
	"setproduct":      {1, -1, setProduct},
	"coalesce":        {1, -1, coalesce},
	"coalescelist":    {1, -1, coalesceList},
	"[*]":             {1, 1, asList},

	"min":      {1, -1, extreme(-1)},
	"max":      {1, -1, extreme(1)},
	"sum":      {1, 1, sum},
	"abs":      {1, 1, abs},
	"ceil":     {1, 1, rounding(true)},
	"floor":    {1, 1, rounding(false)},
	"round":    {1, 2, round},
	"pow":      {2, 2, pow},
	"log":      {2, 2, logarithm},
	"signum":   {1, 1, signum},
	"parseint": {2, 2, parseInt},

	"timestamp":    {0, 0, timestamp},
	"formatdate":   {2, 2, formatDate},
	"parsedate":    {2, 2, parseDate},
	"timeadd":      {2, 2, timeAdd},
	"timecmp":      {2, 2, timeCompare},
	"unixtime":     {1, 1, unixTime},
	"fromunixtime": {1, 1, fromUnixTime},

	"base64encode":    {1, 1, text1(base64Encode)},
	"base64decode":    {1, 1, base64Decode},
	"base64urlencode": {1, 1, text1(base64URLEncode)},
	"base64urldecode": {1, 1, base64URLDecode},
	"hexencode":       {1, 1, text1(hexEncode)},
	"hexdecode":       {1, 1, hexDecode},
	"urlencode":       {1, 1, text1(urlEncode)},
	"urldecode":       {1, 1, urlDecode},
	"urlparse":        {1, 1, urlParse},
	"jsonencode":      {1, 1, func(in []any) (any, error) { return string(AppendJSON(nil, in[0])), nil }},
	"jsondecode":      {1, 1, jsonDecode},
	"csvdecode":       {1, 1, csvDecode},

	"md5":          {1, 1, digest("md5", hexEncode)},
	"sha1":         {1, 1, digest("sha1", hexEncode)},
	"sha256":       {1, 1, digest("sha256", hexEncode)},
	"sha512":       {1, 1, digest("sha512", hexEncode)},
	"base64md5":    {1, 1, digest("md5", base64Encode)},
	"base64sha1":   {1, 1, digest("sha1", base64Encode)},
	"base64sha256": {1, 1, digest("sha256", base64Encode)},
	"base64sha512": {1, 1, digest("sha512", base64Encode)},
	"hmac":         {3, 3, keyed(hexEncode)},
	"base64hmac":   {3, 3, keyed(base64Encode)},
	"uuid":         {0, 0, uuid4},
	"uuidv5":       {2, 2, uuid5},

	"tostring": {1, 1, toString},
	"tonumber": {1, 1, toNumber},
	"tobool":   {1, 1, toBool},

	"==":  {2, 2, func(in []any) (any, error) { return Equal(in[0], in[1]), nil }},
	"!=":  {2, 2, func(in []any) (any, error) { return !Equal(in[0], in[1]), nil }},
	"<":   {2, 2, ordering(func(c int) bool { return c < 0 })},
	"<=":  {2, 2, ordering(func(c int) bool { return c <= 0 })},
	">":   {2, 2, ordering(func(c int) bool { return c > 0 })},
	">=":  {2, 2, ordering(func(c int) bool { return c >= 0 })},
	"+":   {2, 2, arithmetic('+')},
	"-":   {2, 2, arithmetic('-')},
	"*":   {2, 2, arithmetic('*')},
	"/":   {2, 2, arithmetic('/')},
	"%":   {2, 2, arithmetic('%')},
	"neg": {1, 1, neg},
	"!":   {1, 1, not},
}

func textAt(in []any, i int) (string, error) {
	s, ok := Text(in[i])
	if !ok {
		return "", &OperandError{i, "text"}
	}
	return s, nil
}

func listAt(in []any, i int) ([]any, error) {
	l, ok := in[i].([]any)
	if !ok {
		return nil, &OperandError{i, "a list"}
	}
	return l, nil
}

func objectAt(in []any, i int) (map[string]any, error) {
	m, ok := in[i].(map[string]any)
	if !ok {
		return nil, &OperandError{i, "an object"}
	}
	return m, nil
}

func not(in []any) (any, error) {
	b, ok := Truth(in[0])
	if !ok {
		return nil, &OperandError{0, "true or false"}
	}
	return !b, nil
}

func toString(in []any) (any, error) {
	if in[0] == nil {
		return nil, nil
	}
	s, err := textAt(in, 0)
	if err != nil {
		return nil, err
	}
	return s, nil
}

func toNumber(in []any) (any, error) {
	if in[0] == nil {
		return nil, nil
	}
	n, err := numberAt(in, 0)
	if err != nil {
		return nil, err
	}
	return n, nil
}

func toBool(in []any) (any, error) {
	if in[0] == nil {
		return nil, nil
	}
	b, ok := Truth(in[0])
	if !ok {
		return nil, &OperandError{0, "true or false"}
	}
	return b, nil
}

// TextAt is argument i as text, or an [OperandError].
func TextAt(in []any, i int) (string, error) { return textAt(in, i) }
