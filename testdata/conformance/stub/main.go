// Stub is the upstream of conformance.hcl: an HTTP service with one endpoint
// for each thing the conformance suites want a tool to do that a bridge can do.
//
//	go run ./testdata/conformance/stub -listen 127.0.0.1:8089
package main

import (
	"encoding/base64"
	"encoding/binary"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"time"
)

func main() {
	address := flag.String("listen", "127.0.0.1:8089", "HOST:PORT to serve")
	flag.Parse()
	l, err := net.Listen("tcp", *address)
	if err != nil {
		log.Fatal(err)
	}
	_, _ = fmt.Fprintln(os.Stdout, "http://"+l.Addr().String())
	s := &http.Server{Handler: handler(), ReadHeaderTimeout: 5 * time.Second}
	log.Fatal(s.Serve(l))
}

func handler() http.Handler {
	mux := http.NewServeMux()
	answer := func(path, media string, body []byte) {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", media)
			_, _ = w.Write(body)
		})
	}
	for _, path := range []string{"/text", "/logging", "/streaming"} {
		answer(path, "text/plain; charset=utf-8", []byte("This is a simple text response for testing."))
	}
	answer("/image", "image/png", pixel())
	answer("/audio", "audio/wav", silence())
	answer("/resource", "application/octet-stream", []byte("\x00This is an embedded resource content."))
	mux.HandleFunc("GET /error", func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "This tool intentionally returns an error for testing", http.StatusTeapot)
	})
	// Long enough for three notes of progress: after 1, 3 and 5 seconds.
	mux.HandleFunc("GET /slow", func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-time.After(5500 * time.Millisecond):
			_, _ = w.Write([]byte("It took its time."))
		case <-r.Context().Done():
		}
	})
	mux.HandleFunc("GET /data/{id}", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprintf(w, `{"id":%q,"templateTest":true,"data":"Data for ID: %[1]s"}`, r.PathValue("id"))
	})
	mux.HandleFunc("POST /contact", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNoContent)
	})
	return mux
}

// pixel is a PNG of one red pixel.
func pixel() []byte {
	b, err := base64.StdEncoding.DecodeString("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg==")
	if err != nil {
		panic(err)
	}
	return b
}

// silence is a WAV file of one sample.
func silence() []byte {
	b := []byte("RIFF")
	b = binary.LittleEndian.AppendUint32(b, 38)
	b = append(b, "WAVEfmt "...)
	b = binary.LittleEndian.AppendUint32(b, 16)
	b = binary.LittleEndian.AppendUint16(b, 1)     // PCM
	b = binary.LittleEndian.AppendUint16(b, 1)     // one channel
	b = binary.LittleEndian.AppendUint32(b, 8000)  // samples a second
	b = binary.LittleEndian.AppendUint32(b, 16000) // bytes a second
	b = binary.LittleEndian.AppendUint16(b, 2)     // bytes a sample
	b = binary.LittleEndian.AppendUint16(b, 16)    // bits a sample
	b = append(b, "data"...)
	b = binary.LittleEndian.AppendUint32(b, 2)
	return append(b, 0, 0)
}
