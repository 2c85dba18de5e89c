package deploy

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"helm.sh/helm/v3/pkg/lint"
	"helm.sh/helm/v3/pkg/lint/support"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"sigs.k8s.io/yaml"
)

const folder = "../../examples/deploy"

// manifests are the documents of a file of Kubernetes, each as its type, read
// strictly: a member that the API does not know is an error.
func manifests(t *testing.T, text string) (list []any) {
	t.Helper()
	for _, doc := range regexp.MustCompile(`(?m)^---\n`).Split(text, -1) {
		if strings.TrimSpace(regexp.MustCompile(`(?m)^\s*#.*$`).ReplaceAllString(doc, "")) == "" {
			continue
		}
		var kind struct{ APIVersion, Kind string }
		if err := yaml.Unmarshal([]byte(doc), &kind); err != nil {
			t.Fatalf("%v in\n%s", err, doc)
		}
		object, known := map[string]any{
			"v1 Namespace": &corev1.Namespace{}, "v1 ServiceAccount": &corev1.ServiceAccount{}, "v1 ConfigMap": &corev1.ConfigMap{},
			"v1 Secret": &corev1.Secret{}, "v1 Service": &corev1.Service{}, "apps/v1 Deployment": &appsv1.Deployment{},
			"policy/v1 PodDisruptionBudget": &policyv1.PodDisruptionBudget{}, "networking.k8s.io/v1 Ingress": &networkingv1.Ingress{},
		}[kind.APIVersion+" "+kind.Kind]
		if !known {
			t.Fatalf("%s %s is not known here", kind.APIVersion, kind.Kind)
		}
		if err := yaml.UnmarshalStrict([]byte(doc), object); err != nil {
			t.Fatalf("%s: %v\n%s", kind.Kind, err, doc)
		}
		list = append(list, object)
	}
	return list
}

// find returns the only object of a type.
func find[T any](t *testing.T, list []any) T {
	t.Helper()
	var found []T
	for _, o := range list {
		if x, ok := o.(T); ok {
			found = append(found, x)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d objects are %T", len(found), *new(T))
	}
	return found[0]
}

// Strict reading is what shows a misspelt member: this one must fail.
func TestStrict(t *testing.T) {
	if err := yaml.UnmarshalStrict([]byte("apiVersion: apps/v1\nkind: Deployment\nspec: {replica: 2}\n"), &appsv1.Deployment{}); err == nil {
		t.Error("an unknown member is accepted")
	}
}

func TestManifests(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(folder, "kubernetes/mcpc.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	consistent(t, manifests(t, string(text)))
}

// consistent holds objects to each other: names, labels, ports, times and the
// rules of the restricted profile; and to a running server.
func consistent(t *testing.T, list []any) {
	t.Helper()
	d := find[*appsv1.Deployment](t, list)
	pod := d.Spec.Template.Spec
	if len(pod.Containers) != 1 {
		t.Fatalf("%d containers", len(pod.Containers))
	}
	c := pod.Containers[0]
	subset := func(what string, want, have map[string]string) {
		t.Helper()
		if len(want) == 0 {
			t.Errorf("%s selects everything", what)
		}
		for k, v := range want {
			if have[k] != v {
				t.Errorf("%s selects %s=%s, pods have %q", what, k, v, have[k])
			}
		}
	}
	labels := d.Spec.Template.Labels
	subset("the Deployment", d.Spec.Selector.MatchLabels, labels)
	s := find[*corev1.Service](t, list)
	subset("the Service", s.Spec.Selector, labels)
	ports := map[string]int32{}
	for _, p := range c.Ports {
		ports[p.Name] = p.ContainerPort
	}
	for _, p := range s.Spec.Ports {
		if ports[p.TargetPort.String()] == 0 {
			t.Errorf("the Service leads to the port %s, which the pod has not", p.TargetPort.String())
		}
		if p.TargetPort.String() == "admin" {
			t.Error("the Service leads to the admin listener")
		}
	}
	for _, o := range list {
		if b, ok := o.(*policyv1.PodDisruptionBudget); ok {
			subset("the PodDisruptionBudget", b.Spec.Selector.MatchLabels, labels)
		}
		if i, ok := o.(*networkingv1.Ingress); ok {
			for _, p := range i.Spec.Rules[0].HTTP.Paths {
				if p.Backend.Service.Name != s.Name || p.Backend.Service.Port.Name != s.Spec.Ports[0].Name {
					t.Errorf("the Ingress leads to %s:%s", p.Backend.Service.Name, p.Backend.Service.Port.Name)
				}
			}
		}
	}
	if a := find[*corev1.ServiceAccount](t, list); pod.ServiceAccountName != a.Name {
		t.Errorf("the pod runs as %s, there is %s", pod.ServiceAccountName, a.Name)
	}
	sc, psc := c.SecurityContext, pod.SecurityContext
	if sc == nil || psc == nil || sc.AllowPrivilegeEscalation == nil || *sc.AllowPrivilegeEscalation || sc.ReadOnlyRootFilesystem == nil || !*sc.ReadOnlyRootFilesystem ||
		sc.Capabilities == nil || !slices.Equal(sc.Capabilities.Drop, []corev1.Capability{"ALL"}) || psc.RunAsNonRoot == nil || !*psc.RunAsNonRoot || psc.SeccompProfile == nil || psc.SeccompProfile.Type != corev1.SeccompProfileTypeRuntimeDefault {
		t.Error("the pod is not what the restricted profile wants")
	}
	var spec map[string]string
	mounts := map[string]string{} // path by volume
	for _, m := range c.VolumeMounts {
		if m.SubPath != "" {
			t.Errorf("%s is mounted with subPath: changes do not arrive", m.Name)
		}
		mounts[m.Name] = m.MountPath
	}
	for _, v := range pod.Volumes {
		if mounts[v.Name] == "" {
			t.Errorf("the volume %s is not mounted", v.Name)
		}
		delete(mounts, v.Name)
		if v.ConfigMap != nil {
			for _, o := range list {
				if m, ok := o.(*corev1.ConfigMap); ok && m.Name == v.ConfigMap.Name {
					spec = m.Data
				}
			}
		}
	}
	if len(mounts) > 0 {
		t.Errorf("mounted without a volume: %v", mounts)
	}
	flags := map[string]time.Duration{}
	for _, a := range c.Args {
		if name, value, ok := strings.Cut(a, "="); ok && strings.HasPrefix(name, "--drain-") {
			var err error
			if flags[name], err = time.ParseDuration(value); err != nil {
				t.Error(err)
			}
		}
	}
	if grace := time.Duration(*pod.TerminationGracePeriodSeconds) * time.Second; grace <= flags["--drain-delay"]+flags["--drain-timeout"] || flags["--drain-delay"] == 0 && !slices.Contains(c.Args, "--drain-delay=0s") {
		t.Errorf("it is killed after %s, and drains for %v", grace, flags)
	}
	if spec != nil {
		serves(t, c, ports, spec)
	}
}

// serves runs the container's command on this machine, with the files of its spec
// and other ports, and asks what the probes ask.
func serves(t *testing.T, c corev1.Container, ports map[string]int32, spec map[string]string) {
	t.Helper()
	// Another program may take a port between the look and its use.
	for range 5 {
		if servesOn(t, c, ports, spec) {
			return
		}
	}
	t.Error("no port stays free")
}

// servesOn is serves on ports that were free just now; false when one was not.
func servesOn(t *testing.T, c corev1.Container, ports map[string]int32, spec map[string]string) bool {
	t.Helper()
	dir := t.TempDir()
	free := map[string]string{}
	for name := range ports {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		free[name] = l.Addr().String()
		_ = l.Close()
	}
	replace := func(s string) string {
		s = strings.NewReplacer("/etc/mcpc", dir, "/run/secrets/mcpc", dir).Replace(s)
		for name, port := range ports {
			_, at, _ := net.SplitHostPort(free[name])
			s = regexp.MustCompile(fmt.Sprintf(`:%d\b`, port)).ReplaceAllString(s, ":"+at)
		}
		return s
	}
	for name, text := range spec {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(replace(text)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	certify(t, filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key"))
	var args []string
	for _, a := range c.Args {
		args = append(args, replace(a))
	}
	p, err := launch(t, nil, append([]string{binary(t)}, args...)...)
	if err != nil && strings.Contains(err.Error(), "address already in use") {
		return false
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, probe := range []*corev1.Probe{c.StartupProbe, c.LivenessProbe, c.ReadinessProbe} {
		if probe == nil || probe.HTTPGet == nil || free[probe.HTTPGet.Port.String()] == "" {
			t.Fatalf("a probe asks for nothing: %v", probe)
		}
		if got := p.status(urlOf(probe, free)); got != http.StatusOK {
			t.Errorf("%s answers %d\n%s", urlOf(probe, free), got, p.stderr())
		}
	}
	scheme := "http"
	if strings.Contains(p.stderr(), "at https://") {
		scheme = "https"
	}
	if got := p.status(scheme + "://" + free["mcp"] + "/healthz"); got != http.StatusOK {
		t.Errorf("the port of clients answers %d", got)
	}
	// The readiness probe is told before connections end.
	ready := urlOf(c.ReadinessProbe, free)
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	end := time.Now().Add(20 * time.Second)
	for p.status(ready) == http.StatusOK && time.Now().Before(end) {
		time.Sleep(10 * time.Millisecond) // asking more often only costs
	}
	if got := p.status(ready); slices.Contains(c.Args, "--drain-delay=5s") && got != http.StatusServiceUnavailable {
		t.Errorf("after SIGTERM readiness is %d", got)
	}
	return true
}

// urlOf is what a probe asks for, as a kubelet would.
func urlOf(p *corev1.Probe, free map[string]string) string {
	scheme := "http"
	if p.HTTPGet.Scheme != "" {
		scheme = strings.ToLower(string(p.HTTPGet.Scheme))
	}
	return scheme + "://" + free[p.HTTPGet.Port.String()] + p.HTTPGet.Path
}

// certify writes a certificate and its key, as a Secret has them.
func certify(t *testing.T, cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"localhost"}}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(name, pem.EncodeToMemory(b), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestChart(t *testing.T) {
	chart, err := loader.Load(filepath.Join(folder, "helm/mcpc"))
	if err != nil {
		t.Fatal(err)
	}
	render := func(values string) (map[string]string, error) {
		var v map[string]any
		if err := yaml.Unmarshal([]byte(values), &v); err != nil {
			t.Fatal(err)
		}
		all, err := chartutil.ToRenderValues(chart, v, chartutil.ReleaseOptions{Name: "orders", Namespace: "tools", IsInstall: true}, nil)
		if err != nil {
			return nil, err
		}
		return engine.Render(chart, all)
	}
	const spec = "spec: {target: s.hcl, files: {s.hcl: 'server \"s\" {}\n\n\n  api \"a\" { base_url = \"http://127.0.0.1:1\" }\n\n\n  tool \"t\" {\n\n    description = \"T.\"\n\n    request \"GET\" \"/t\" {}\n\n  }'}}\n"
	// The spec with TLS, and more.
	secured := func(more string) string {
		return strings.Replace(spec, "\"s\" {}", "\"s\" {\n\n  listen \"http\" {\n\n    addr = \"0.0.0.0:8080\"\n\n    tls  = { cert = \"/run/secrets/mcpc/tls.crt\", key = \"/run/secrets/mcpc/tls.key\" }\n\n  }\n\n}\n\n"+more, 1)
	}
	for name, values := range map[string]string{
		"defaults":                 "",
		"no admin":                 spec + "adminPort: 0\nport: 8443\ndrain: {delaySeconds: 0, timeoutSeconds: 5}\npodDisruptionBudget: {minAvailable: 0}\n",
		"all of it":                "secretName: s\nallowHosts: [mcp.example.com]\nextraArgs: [--log-level=debug]\nenv: [{name: MCPC_ENV, value: prod}]\nimagePullSecrets: [{name: r}]\ningress: {enabled: true, className: nginx, tlsSecretName: tls, annotations: {a: b}}\nservice: {type: NodePort, port: 8000, annotations: {a: b}}\npodAnnotations: {a: b}\nnodeSelector: {a: b}\ntolerations: [{operator: Exists}]\naffinity: {nodeAffinity: {}}\nserviceAccount: {annotations: {a: b}}\nimage: {repository: r.example/mcpc, tag: v1}\n",
		"one pod":                  spec + "adminPort: 0\nreplicas: 1\n",
		"TLS":                      secured("") + "adminPort: 0\ntls: true\nsecretName: s\n",
		"TLS and admin":            secured("observe { admin = \"0.0.0.0:9090\" }") + "tls: true\nsecretName: s\n",
		"a volume":                 "extraVolumes: [{name: audit, emptyDir: {}}]\nextraVolumeMounts: [{name: audit, mountPath: /var/lib/mcpc}]\n",
		"a ConfigMap of one's own": "spec: {target: api.yaml, existingConfigMap: mine}\n",
	} {
		t.Run(name, func(t *testing.T) {
			files, err := render(values)
			if err != nil {
				t.Fatal(err)
			}
			var all []string
			for name, text := range files {
				if strings.HasSuffix(name, ".yaml") {
					all = append(all, text)
				}
			}
			consistent(t, manifests(t, strings.Join(all, "\n---\n")))
		})
	}
	for name, values := range map[string]string{
		"a misspelt value":      "replicaz: 2\n",
		"a port out of range":   "port: 70000\n",
		"a target elsewhere":    "spec: {target: ../../etc/passwd}\n",
		"a text for a number":   "replicas: two\n",
		"a volume without name": "extraVolumes: [{emptyDir: {}}]\n",
		"a text for tls":        "tls: maybe\n",
		"no time to drain":      "drain: {delaySeconds: 1, timeoutSeconds: 0}\n",
	} {
		if _, err := render(values); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
	for _, m := range lint.All(filepath.Join(folder, "helm/mcpc"), nil, "tools", true).Messages {
		if m.Severity >= support.WarningSev {
			t.Errorf("helm lint: %v", m)
		}
	}
}

// The Dockerfile is one that Docker builds: its parser and its instructions say so.
// Nothing is fetched but base images and modules.
func TestDockerfile(t *testing.T) {
	f, err := os.Open(filepath.Join(folder, "Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	parsed, err := parser.Parse(f)
	if err != nil {
		t.Fatal(err)
	}
	if len(parsed.Warnings) > 0 {
		t.Errorf("%v", parsed.Warnings)
	}
	stages, _, err := instructions.Parse(parsed.AST, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(stages) != 2 || stages[1].BaseName != "scratch" {
		t.Fatalf("%d stages; the last is of %s", len(stages), stages[len(stages)-1].BaseName)
	}
	var user string
	var entry, command []string
	for _, c := range stages[1].Commands {
		switch c := c.(type) {
		case *instructions.UserCommand:
			user = c.User
		case *instructions.EntrypointCommand:
			entry = c.CmdLine
		case *instructions.CmdCommand:
			command = c.CmdLine
		case *instructions.CopyCommand:
			if c.From != "build" {
				t.Errorf("copied from %q", c.From)
			}
		case *instructions.RunCommand:
			t.Error("there is nothing to run in an empty image")
		}
	}
	if user == "" || strings.HasPrefix(user, "0") || strings.HasPrefix(user, "root") {
		t.Errorf("it runs as %q", user)
	}
	for _, c := range stages[0].Commands {
		switch c := c.(type) {
		case *instructions.AddCommand:
			t.Errorf("ADD may fetch: %v", c)
		case *instructions.RunCommand:
			if line := strings.Join(c.CmdLine, " "); regexp.MustCompile(`\b(curl|wget|apt|apt-get|apk|git)\b`).MatchString(line) {
				t.Errorf("it fetches: %s", line)
			}
		}
	}
	if len(entry) != 1 || filepath.Base(entry[0]) != "mcpc" {
		t.Errorf("ENTRYPOINT %q", entry)
	}
	// What it runs by default is a command line of mcpc.
	serve := []string{binary(t)}
	for _, a := range command {
		a = strings.ReplaceAll(a, "/etc/mcpc/server.hcl", specFile(t))
		serve = append(serve, strings.ReplaceAll(a, "0.0.0.0:8080", "127.0.0.1:0"))
	}
	start(t, nil, serve...)
}

// specFile is a spec that needs nothing.
func specFile(t *testing.T) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "server.hcl")
	if err := os.WriteFile(name, []byte("server \"s\" {}\napi \"a\" { base_url = \"http://127.0.0.1:1\" }\ntool \"t\" {\n  description = \"T.\"\n  request \"GET\" \"/t\" {}\n}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// systemd reads the unit without a word, and what it starts says when it is ready,
// when it takes another spec, and when it ends.
func TestUnit(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(folder, "mcpc.service"))
	if err != nil {
		t.Fatal(err)
	}
	mcpc := binary(t)
	unit := filepath.Join(t.TempDir(), "mcpc.service")
	local := strings.ReplaceAll(string(text), "/usr/local/bin/mcpc", mcpc)
	if err := os.WriteFile(unit, []byte(local), 0o600); err != nil {
		t.Fatal(err)
	}
	verify, err := exec.LookPath("systemd-analyze")
	switch {
	case err == nil:
		if out, err := exec.Command(verify, "verify", "--man=no", unit).CombinedOutput(); err != nil || len(bytes.TrimSpace(out)) > 0 {
			t.Errorf("systemd-analyze verify: %v\n%s", err, out)
		}
		// And it must be able to fail.
		bad := filepath.Join(t.TempDir(), "mcpc.service")
		if err := os.WriteFile(bad, []byte(strings.Replace(local, "ProtectSystem=strict", "ProtectSystems=strict", 1)), 0o600); err != nil {
			t.Fatal(err)
		}
		if out, _ := exec.Command(verify, "verify", "--man=no", bad).CombinedOutput(); !bytes.Contains(out, []byte("ProtectSystems")) {
			t.Errorf("a misspelt setting is accepted: %s", out)
		}
	case os.Getenv("CI") != "":
		t.Error("systemd-analyze is missing: install the package systemd")
	default:
		t.Log("systemd-analyze is missing (package systemd): the unit is not verified")
	}

	setting := func(name string) string {
		m := regexp.MustCompile(`(?m)^` + name + `=(.*)$`).FindStringSubmatch(local)
		if m == nil {
			t.Fatalf("the unit has no %s", name)
		}
		return m[1]
	}
	spec := specFile(t)
	var args []string
	for _, a := range strings.Fields(setting("ExecStart")) {
		a = strings.ReplaceAll(a, "/etc/mcpc/server.hcl", spec)
		args = append(args, strings.ReplaceAll(a, "127.0.0.1:8080", "127.0.0.1:0"))
	}
	if setting("ExecReload") != "/bin/kill -HUP $MAINPID" || setting("Type") != "notify" {
		t.Error("the test reloads by SIGHUP and waits for READY=1; the unit does otherwise")
	}
	socket := filepath.Join(t.TempDir(), "notify")
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	told := func(want string) {
		t.Helper()
		b := make([]byte, 1024)
		_ = l.SetReadDeadline(time.Now().Add(20 * time.Second))
		n, err := l.Read(b)
		if err != nil || !strings.HasPrefix(string(b[:n]), want) {
			t.Fatalf("%q, %v, not %s", b[:n], err, want)
		}
	}
	p := start(t, []string{"NOTIFY_SOCKET=" + socket}, args...)
	told("READY=1")
	_ = p.cmd.Process.Signal(syscall.SIGHUP)
	told("RELOADING=1\nMONOTONIC_USEC=")
	told("READY=1")
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	told("STOPPING=1")
	if err := p.cmd.Wait(); err != nil {
		t.Errorf("%v\n%s", err, p.stderr())
	}
}

// The spec that comes with the unit is one.
func TestSpec(t *testing.T) {
	for _, verb := range [][]string{{"validate"}, {"fmt", "--check"}} {
		args := append(verb, filepath.Join(folder, "server.hcl"))
		if out, err := exec.Command(binary(t), args...).CombinedOutput(); err != nil {
			t.Errorf("mcpc %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
}

var built string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "mcpc-deploy-")
	if err != nil {
		panic(err)
	}
	code := func() int {
		defer os.RemoveAll(dir)
		cmd := exec.Command("go", "build", "-o", filepath.Join(dir, "mcpc"), "./cmd/mcpc")
		cmd.Dir = "../.."
		if out, err := cmd.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "build mcpc: %v\n%s", err, out)
			return 1
		}
		built = filepath.Join(dir, "mcpc")
		return m.Run()
	}()
	os.Exit(code)
}

func binary(t *testing.T) string {
	t.Helper()
	return built
}

// process is a server of mcpc.
type process struct {
	t   *testing.T
	cmd *exec.Cmd
	log string // file of stderr
}

func (p *process) stderr() string {
	text, _ := os.ReadFile(p.log)
	return string(text)
}

// start starts a server and waits until it has said what it serves.
func start(t *testing.T, env []string, argv ...string) *process {
	t.Helper()
	p, err := launch(t, env, argv...)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func launch(t *testing.T, env []string, argv ...string) (*process, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	p := &process{t, exec.CommandContext(ctx, argv[0], argv[1:]...), filepath.Join(t.TempDir(), "stderr")}
	p.cmd.Env = append(slices.DeleteFunc(os.Environ(), func(s string) bool { return strings.HasPrefix(s, "NOTIFY_SOCKET=") }), env...)
	log, err := os.Create(p.log)
	if err != nil {
		t.Fatal(err)
	}
	p.cmd.Stderr = log
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		_ = p.cmd.Wait() // killed
		_ = log.Close()
	})
	for end := time.Now().Add(30 * time.Second); !strings.Contains(p.stderr(), "serving "); {
		if time.Now().After(end) || exited(p.cmd.Process) {
			return nil, fmt.Errorf("%s does not serve:\n%s", strings.Join(argv, " "), p.stderr())
		}
		time.Sleep(10 * time.Millisecond) // its file cannot be waited for
	}
	return p, nil
}

// exited tells whether a process is no more than its exit code.
func exited(p *os.Process) bool {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(p.Pid) + "/stat")
	return errors.Is(err, fs.ErrNotExist) && exists("/proc/self/stat") || bytes.Contains(text, []byte(") Z "))
}

func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}

// status is the status of an answer; 0 without one.
func (p *process) status(url string) int {
	c := http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}} // as a kubelet does
	res, err := c.Get(url)
	if err != nil {
		return 0
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, res.Body)
	return res.StatusCode
}
