package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mcpc-dev/mcpc/runtime"
)

// callerFlag is --as: on whose behalf something is tried.
type callerFlag []string

func (f *callerFlag) flag(cmd *cobra.Command) {
	cmd.Flags().StringArrayVar((*[]string)(f), "as", nil, "")
}

// caller is the caller that the flag describes; nil without it.
func (f callerFlag) caller() (*runtime.Caller, error) {
	if len(f) == 0 {
		return nil, nil
	}
	who := &runtime.Caller{}
	for _, one := range f {
		name, isFile := strings.CutPrefix(one, "@")
		switch {
		case one == "nobody":
		case isFile:
			text, err := os.ReadFile(name)
			if err != nil {
				return nil, failed(err)
			}
			if err := readCaller(who, text); err != nil {
				return nil, usagef("--as %s: %w", one, err)
			}
		case strings.HasPrefix(one, "{"):
			if err := readCaller(who, []byte(one)); err != nil {
				return nil, usagef("--as: %w", err)
			}
		default:
			if !setCaller(who, one) {
				return nil, usagef("--as takes subject=, client=, tenant=, identity=, scope= or claim.NAME=, JSON, @FILE, or nobody; not %q", one)
			}
		}
	}
	slices.Sort(who.Scopes)
	return who, nil
}

// setCaller sets what WHAT=VALUE says; false when it says nothing.
func setCaller(who *runtime.Caller, one string) bool {
	what, value, ok := strings.Cut(one, "=")
	claim, isClaim := strings.CutPrefix(what, "claim.")
	switch {
	case ok && what == "subject":
		who.Principal.Subject = value
	case ok && what == "client":
		who.Principal.Client = value
	case ok && what == "tenant":
		who.Principal.Tenant = value
	case ok && what == "identity":
		who.Identity = value
	case ok && what == "scope":
		who.Scopes = append(who.Scopes, value)
	case ok && isClaim && claim != "":
		if who.Claims == nil {
			who.Claims = map[string]any{}
		}
		who.Claims[claim] = value
	default:
		return false
	}
	return true
}

// readCaller reads a caller in the form that conditions know him in.
func readCaller(who *runtime.Caller, text []byte) error {
	var c struct {
		Subject, Client, Tenant, Identity string
		Scopes                            []string
		Claims                            map[string]any
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	d.DisallowUnknownFields()
	if err := d.Decode(&c); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("there is more after the object")
	}
	who.Principal = runtime.Principal{Tenant: c.Tenant, Subject: c.Subject, Client: c.Client}
	who.Identity, who.Scopes, who.Claims = c.Identity, append(who.Scopes, c.Scopes...), c.Claims
	return nil
}
