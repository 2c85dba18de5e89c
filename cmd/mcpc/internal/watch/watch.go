// Package watch notices that files are not any more what something was made of.
//
// What counts is content: a file has changed when its digest is another one, for
// as long as it takes to see that nobody is still writing. Events of the file
// system are only a reason to look at once. They are asked for by folder, because
// editors and Kubernetes replace files and links; and without them, on network
// file systems for instance, everything is looked at every few seconds.
package watch

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/mcpc-dev/mcpc/specs"
)

// AsItIs is the digest of a dependency that counts as changed when it is not what
// it is now.
const AsItIs = "*"

// Options configure a [Watcher]. The zero value works.
type Options struct {
	Poll     time.Duration // between two looks without an event; 0 is 2 s
	Settle   time.Duration // for which the files must stay the same; 0 is 100 ms
	Log      *slog.Logger  // hears when there are no events; nil: nobody
	NoEvents bool          // poll only, for tests
}

// Watcher watches files and folders. Its channel gets a value when one of them
// has changed; then it is silent until it is told by Set what was made of that.
type Watcher struct {
	C <-chan struct{}

	options Options
	fired   chan struct{}
	set     chan []specs.Dependency
	done    chan struct{}

	events  *fsnotify.Watcher // nil: none
	folders map[string]bool   // that events are asked for
	files   map[string]*file
	dirs    map[string]string // the digest of the names in a folder
}

// file is what is known of a file.
type file struct {
	loaded string      // the digest that something was made of; "" when it was missing
	now    string      // the digest at the last look
	info   os.FileInfo // at the last look; nil when it was missing
	fresh  bool        // it was written so recently that it may change without its time
}

// granularity is how long after a change of a file another may leave no trace in
// its time.
const granularity = 2 * time.Second

// New returns a watcher of nothing, which works until ctx ends.
func New(ctx context.Context, o Options) *Watcher {
	if o.Poll <= 0 {
		o.Poll = 2 * time.Second
	}
	if o.Settle <= 0 {
		o.Settle = 100 * time.Millisecond
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	w := &Watcher{options: o, fired: make(chan struct{}, 1), set: make(chan []specs.Dependency), done: make(chan struct{}), folders: map[string]bool{}}
	w.C = w.fired
	if !o.NoEvents {
		var err error
		if w.events, err = fsnotify.NewWatcher(); err != nil {
			o.Log.Warn("there are no events of files; they are looked at every few seconds", "error", err)
			w.events = nil
		}
	}
	go w.run(ctx)
	return w
}

// Set says what is to be watched from now on, in the state that it was read in.
// URLs and environment variables are not watched.
func (w *Watcher) Set(list []specs.Dependency) {
	select {
	case w.set <- list:
	case <-w.done:
	}
}

func (w *Watcher) run(ctx context.Context) {
	defer close(w.done)
	var events <-chan fsnotify.Event
	var failures <-chan error
	if w.events != nil {
		defer w.events.Close() //nolint:errcheck // nothing was written
		events, failures = w.events.Events, w.events.Errors
	}
	poll := time.NewTicker(w.options.Poll)
	defer poll.Stop()
	look := time.NewTimer(time.Hour)
	look.Stop()
	last := "" // what was seen changed at the last look
	silent := true
	for {
		select {
		case <-ctx.Done():
			return
		case list := <-w.set:
			w.take(list)
			silent, last = false, ""
			look.Reset(0) // it may have changed since it was read
			continue
		case <-events:
			look.Reset(w.options.Settle)
			continue
		case err := <-failures: // events were lost
			w.options.Log.Debug("events of files were lost", "error", err)
			look.Reset(w.options.Settle)
			continue
		case <-poll.C:
		case <-look.C:
		}
		if silent {
			continue
		}
		switch now := w.look(); {
		case now == "":
			last = ""
		case now != last:
			last = now
			look.Reset(w.options.Settle)
		default:
			silent = true
			w.fired <- struct{}{} // there is room: the last one was answered by Set
		}
	}
}

// take begins to watch what is in a list, and nothing else.
func (w *Watcher) take(list []specs.Dependency) {
	select {
	case <-w.fired: // about what was made since
	default:
	}
	w.files, w.dirs = map[string]*file{}, map[string]string{}
	folders := map[string]bool{}
	for _, d := range list {
		switch d.Kind {
		case "file":
			f := &file{loaded: d.Digest}
			f.look(d.Name)
			if d.Digest == AsItIs {
				f.loaded = f.now
			}
			w.files[d.Name] = f
			folders[filepath.Dir(d.Name)] = true
			if real, err := filepath.EvalSymlinks(d.Name); err == nil {
				folders[filepath.Dir(real)] = true
			}
		case "dir":
			w.dirs[d.Name] = d.Digest
			if d.Digest == AsItIs {
				w.dirs[d.Name] = names(d.Name)
			}
			folders[d.Name] = true
		}
	}
	if w.events == nil {
		return
	}
	for name := range w.folders {
		if !folders[name] {
			_ = w.events.Remove(name) // it may be gone
		}
	}
	for name := range folders {
		// Also those that are watched: the folder of that name may be a new one.
		if err := w.events.Add(name); err != nil {
			delete(folders, name)
			w.options.Log.Debug("a folder has no events", "folder", name, "error", err)
		}
	}
	w.folders = folders
}

// look returns a digest of all that is not as it was read; "" when all is.
func (w *Watcher) look() string {
	var changed []string
	for name, f := range w.files {
		if f.look(name); f.now != f.loaded {
			changed = append(changed, name+" "+f.now)
		}
	}
	for name, loaded := range w.dirs {
		if now := names(name); now != loaded {
			changed = append(changed, name+" "+now)
		}
	}
	if changed == nil {
		return ""
	}
	slices.Sort(changed)
	return specs.Digest([]byte(strings.Join(changed, "\n")))
}

// look reads the file again when it may be another one.
func (f *file) look(name string) {
	info, err := os.Stat(name)
	if err != nil {
		f.info, f.now = nil, ""
		return
	}
	if f.info != nil && !f.fresh && os.SameFile(f.info, info) && info.ModTime().Equal(f.info.ModTime()) && info.Size() == f.info.Size() {
		return
	}
	f.info, f.fresh = info, time.Since(info.ModTime()) < granularity
	text, err := os.ReadFile(name)
	if err != nil {
		f.info, f.now = nil, ""
		return
	}
	sum := sha256.Sum256(text)
	f.now = hex.EncodeToString(sum[:])
}

// names is the digest of the names in a folder, as a reader of specs has it.
func names(folder string) string {
	list, err := new(specs.Reader).Dir(folder)
	if err != nil {
		return ""
	}
	return specs.Digest([]byte(strings.Join(list, "\n")))
}
