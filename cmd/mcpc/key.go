package main

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/mcpc-dev/mcpc/specs"
)

func (a *app) key() *cobra.Command {
	var expires string
	var scopes []string
	create := &cobra.Command{
		Use:   "new NAME",
		Short: "a new API key and the block that accepts it",
		Long: `Make an API key for a caller. The key is printed once, to stdout, and kept
nowhere; the block that accepts it goes to stderr and into the spec, inside of
identity "…" { api_keys { … } }.

  mcpc key new ci > ci.key
  mcpc key new ci --expires 90d --scope orders:read

  --expires WHEN          from when on it is refused: a day, 2027-06-30, or a number
                          of days from now, 90d
  --scope SCOPE           what its holder may do; may be repeated
`,
		Args: wants("NAME"),
		RunE: func(_ *cobra.Command, args []string) error {
			end, err := expiry(expires, time.Now())
			if err != nil {
				return err
			}
			// 26 letters of base 32 are 130 random bits: enough that a plain hash
			// cannot be searched for its key.
			key := "mcpc_" + strings.ToLower(rand.Text())
			hash := sha256.Sum256([]byte(key))
			var b strings.Builder
			fmt.Fprintf(&b, "key %q {\n  hash = \"sha256:%s\"\n", args[0], hex.EncodeToString(hash[:]))
			if end != "" {
				fmt.Fprintf(&b, "  expires = %q\n", end)
			}
			if len(scopes) > 0 {
				fmt.Fprintf(&b, "  scopes = [")
				for i, s := range scopes {
					if i > 0 {
						b.WriteString(", ")
					}
					fmt.Fprintf(&b, "%q", s)
				}
				b.WriteString("]\n")
			}
			b.WriteString("}\n")
			fmt.Fprint(a.stderr, b.String())
			fmt.Fprintln(a.stdout, key)
			return nil
		},
	}
	create.Flags().StringVar(&expires, "expires", "", "")
	create.Flags().StringArrayVar(&scopes, "scope", nil, "")
	cmd := &cobra.Command{
		Use:   "key new NAME",
		Short: "API keys for callers",
		Long:  create.Long,
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usagef("what about keys? mcpc key new NAME makes one")
			}
			return usagef("mcpc key %s does not exist; mcpc key new NAME makes one", args[0])
		},
	}
	cmd.AddCommand(create)
	return cmd
}

// expiry reads --expires.
func expiry(s string, now time.Time) (string, error) {
	if s == "" {
		return "", nil
	}
	var days int
	if n, err := fmt.Sscanf(s, "%dd", &days); n == 1 && err == nil && days > 0 && days < 36500 && fmt.Sprintf("%dd", days) == s {
		return now.UTC().AddDate(0, 0, days).Format(time.DateOnly), nil
	}
	if _, err := specs.ParseTime(s); err != nil {
		return "", usagef("--expires is a day, 2027-06-30, or a number of days, 90d; not %q", s)
	}
	return s, nil
}
