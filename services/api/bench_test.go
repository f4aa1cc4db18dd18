package api_test

import (
	"io"
	"net/http"
	"syscall"
	"testing"
)

// BenchmarkPage asks for a page of 100 keys over HTTP, and prints its processor time and
// allocations, a client's that does not look into the answer included.
func BenchmarkPage(b *testing.B) {
	a := open(b, "aws", "")
	for range 50 {
		user := a.add(b, unique("user"), "user")
		a.create(b, user)
		a.create(b, user)
	}
	used := processorTime(b)
	b.ReportAllocs()
	for b.Loop() {
		res, err := direct.Do(a.request(b, call{method: http.MethodGet, path: "/v1/keys?limit=100"}))
		if err != nil {
			b.Fatal(err)
		}
		n, err := io.Copy(io.Discard, res.Body)
		if _ = res.Body.Close(); err != nil || res.StatusCode != http.StatusOK || n < 20_000 {
			b.Fatalf("%s, %d bytes, %v", res.Status, n, err)
		}
	}
	b.ReportMetric((processorTime(b)-used)*1e6/float64(b.N), "cpu-us/op")
}

// processorTime is what this process has used, in seconds.
func processorTime(b *testing.B) float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}
