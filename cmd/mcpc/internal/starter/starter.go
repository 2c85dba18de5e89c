// Package starter holds the projects that mcpc init makes: for each kind of
// service a spec, its tests with recorded answers, and what goes beside them.
package starter

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// Kind is a kind of project.
type Kind struct {
	Name string
	What string // completes "the service is …"
	// Serve is what the command of serving has besides the folder, and Before is
	// what has to be done first.
	Serve, Before string
}

// Kinds are all of them, the most common first.
var Kinds = []Kind{
	{Name: "rest", What: "a JSON service without a document", Before: "Set `SERVICE_TOKEN`, and write the address of your service into `server.hcl`."},
	{Name: "openapi", What: "a service with an OpenAPI document, of which a part is shown", Before: "Set `SERVICE_TOKEN`, and put your document in the place of `openapi.yaml`."},
	{Name: "soap", What: "a back office that speaks XML and SOAP", Before: "Set `ERP_PASSWORD`, and write the address of your back office into `server.hcl`."},
	{Name: "form", What: "old CGI programs: forms, and answers in Latin-1", Before: "Set `SERVICE_KEY`, and write the address of your service into `server.hcl`."},
	{Name: "csv", What: "exports in CSV that become reports", Before: "Set `REPORTS_TOKEN`, and write the address of your exports into `server.hcl`."},
	{Name: "aggregate", What: "several services behind one server", Before: "Set `SERVICES_TOKEN`, and write the addresses of your services into `server.hcl`."},
	{Name: "steps", What: "a service whose calls belong together: one tool makes them all", Before: "Set `SERVICE_TOKEN`, and write the address of your service into `server.hcl`."},
	{Name: "stdio", What: "a service on this machine that takes local files", Serve: " --files scans", Before: "Make the folder `scans` for the files that may be sent, and write the address of your service into `server.hcl`."},
}

// Names are the names of the kinds.
func Names() []string {
	var names []string
	for _, k := range Kinds {
		names = append(names, k.Name)
	}
	return names
}

//go:embed kinds readme.md gitignore
var files embed.FS

// File is one file of a project.
type File struct {
	Name string // slash-separated, relative to the project
	Text []byte
}

// placeholder is the server's name in the specs.
const placeholder = `server "my-server"`

var serverName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,47}$`)

// CheckName says what is wrong with a name for a server, or nil.
func CheckName(name string) error {
	if !serverName.MatchString(name) {
		return fmt.Errorf("%.60q is no name for a server: use up to 48 letters, digits, - and _", name)
	}
	return nil
}

// NameOf is a name for a server made of that of its folder.
func NameOf(folder string) string {
	name := strings.Trim(regexp.MustCompile(`[^a-z0-9]+`).ReplaceAllString(strings.ToLower(folder), "-"), "-")
	if name = strings.TrimRight(name[:min(len(name), 48)], "-"); name == "" {
		return "my-server"
	}
	return name
}

// Project is the files of a kind of project, in order.
func Project(kind, name string) ([]File, error) {
	i := slices.IndexFunc(Kinds, func(k Kind) bool { return k.Name == kind })
	if i < 0 {
		return nil, fmt.Errorf("there is no kind %q", kind)
	}
	if err := CheckName(name); err != nil {
		return nil, err
	}
	k := Kinds[i]
	var list []File
	root := path.Join("kinds", kind)
	err := fs.WalkDir(files, root, func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := files.ReadFile(file)
		if err != nil {
			return err
		}
		list = append(list, File{strings.TrimPrefix(file, root+"/"), []byte(strings.Replace(string(text), placeholder, fmt.Sprintf("server %q", name), 1))})
		return nil
	})
	if err != nil {
		return nil, err
	}
	readme, err := files.ReadFile("readme.md")
	if err != nil {
		return nil, err
	}
	ignore, err := files.ReadFile("gitignore")
	if err != nil {
		return nil, err
	}
	text := strings.NewReplacer("NAME", name, "WHAT", k.What, "SERVE", k.Serve, "BEFORE", k.Before).Replace(string(readme))
	return append(list, File{"README.md", []byte(text)}, File{".gitignore", ignore}), nil
}

// Write makes the files of a project in a folder, which it makes too. Nothing is
// overwritten: when one of the files exists, or another spec is there, nothing
// is written at all.
func Write(dir string, list []File) error {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".hcl") {
			return fmt.Errorf("%s holds a spec already, %s: name a new folder", dir, e.Name())
		}
	}
	for _, f := range list {
		if name := filepath.Join(dir, filepath.FromSlash(f.Name)); exists(name) {
			return fmt.Errorf("%s exists already: name a new folder", name)
		}
	}
	for _, f := range list {
		name := filepath.Join(dir, filepath.FromSlash(f.Name))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return err
		}
		if err := create(name, f.Text); err != nil {
			return err
		}
	}
	return nil
}

func exists(name string) bool {
	_, err := os.Lstat(name)
	return err == nil
}

// create writes a file that must not exist.
func create(name string, text []byte) (err error) {
	w, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	_, err = w.Write(text)
	return err
}
