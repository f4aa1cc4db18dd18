package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
)

// framework has the framework read a body of POST /v1/verify, after what stands before it; ok is false if
// either refuses it.
func framework() func(body string) (in signedRequest, ok bool) {
	mux := http.NewServeMux()
	var got *signedRequest
	c := (&server{}).describe()
	add(humago.New(mux, c), route{http.MethodPost, "/v1/verify", verifyOne, "", 200, ""}, func(_ context.Context, in *verifyInput) (*read[verdict], error) {
		got = &in.Body
		return &read[verdict]{}, nil
	})
	return func(body string) (signedRequest, bool) {
		got = nil
		r := httptest.NewRequest(http.MethodPost, "/v1/verify", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		if wellFormed(r, []byte(body)) != nil {
			return signedRequest{}, false
		}
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, r)
		if got == nil {
			return signedRequest{}, false
		}
		return *got, w.Code == 200
	}
}

// wantFrameworks holds readSignedRequest to the framework: what it accepts, that accepts and reads likewise.
func wantFrameworks(t *testing.T, reads func(string) (signedRequest, bool), body string) (accepted bool) {
	t.Helper()
	got, ok := readSignedRequest(body)
	if !ok {
		return false
	}
	want, valid := reads(body)
	if !valid {
		t.Errorf("the framework refuses %q", body)
	}
	if len(got.Headers)+len(want.Headers) == 0 {
		got.Headers, want.Headers = nil, nil
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%q:\ngot  %+v\nwant %+v", body, got, want)
	}
	return true
}

const least = `"method":"GET","target":"/","host":"h"`

func TestReadSignedRequest(t *testing.T) {
	reads := framework()
	long := func(n int) string { return strings.Repeat("x", n) }
	lines := func(n int) string {
		return strings.TrimSuffix(strings.Repeat(`{"name":"a","value":"b"},`, n), ",")
	}
	for body, want := range map[string]bool{
		"{" + least + "}": true,
		" {\n\t\"host\" : \"h\" , \"target\":\"/\",\r\n\"method\":\"GET\" } \n": true,
		"{" + least + `,"headers":[]}`:                                          true,
		"{" + least + `,"headers":[ {"name":"A","value":""} , {"value":"é","name":"b"}],"base_host":"","body_base64":"","body_sha256":"00","source_ip":"::1","service":"s","action":"a"}`: true,
		`{"method":"GET","target":"/?a=b\u0026c=\"\\\/\b\f\n\r\té","host":"h"}`:                                                                                                           true,
		"{" + least + `,"action":"` + long(128) + `"}`:                                                                                                                                    true,
		"{" + least + `,"action":"` + long(129) + `"}`:                                                                                                                                    false,
		"{" + least + `,"service":"` + long(128) + `"}`:                                                                                                                                   true,
		"{" + least + `,"service":"` + long(129) + `"}`:                                                                                                                                   false,
		"{" + least + `,"base_host":"` + long(512) + `"}`:                                                                                                                                 true,
		"{" + least + `,"base_host":"` + long(513) + `"}`:                                                                                                                                 false,
		`{"method":"` + long(32) + `","target":"/","host":"` + long(512) + `"}`:                                                                                                           true,
		`{"method":"` + long(33) + `","target":"/","host":"h"}`:                                                                                                                           false,
		`{"method":"GET","target":"/","host":"` + long(513) + `"}`:                                                                                                                        false,
		"{" + least + `,"headers":[` + lines(200) + `]}`:                                                                                                                                  true,
		"{" + least + `,"headers":[` + lines(201) + `]}`:                                                                                                                                  false,
		"{" + least + `,"headers":[{"name":"` + long(256) + `","value":""}]}`:                                                                                                             true,
		"{" + least + `,"headers":[{"name":"` + long(257) + `","value":""}]}`:                                                                                                             false,
		"{" + least + `,"headers":[{"name":"","value":""}]}`:                                                                                                                              false,
		"{" + least + `,"headers":[{"name":"a"}]}`:                                                                                                                                        false,
		"{" + least + `,"headers":[{"name":"a","value":"b","name":"c"}]}`:                                                                                                                 false,
		"{" + least + `,"headers":[{"name":"a","value":"b","more":"c"}]}`:                                                                                                                 false,
		"{" + least + `,"headers":[],"headers":[]}`:                                                                                                                                       false,
		"{" + least + `,"headers":null}`:                                                                                                                                                  false, // the framework takes it
		"{" + least + `,"headers":[{"name":"a","value":"b"},]}`:                                                                                                                           false,
		"{" + least + `,"action":null}`:                                                                                                                                                   false,
		"{" + least + `,"action":1}`:                                                                                                                                                      false,
		"{" + least + `,"action":"","action":""}`:                                                                                                                                         false,
		"{" + least + `,"Action":"a"}`:                                                                                                                                                    false,
		"{" + least + `,"unknown":"a"}`:                                                                                                                                                   false,
		"{" + least + `,"action":"a` + "\n" + `"}`:                                                                                                                                        false,
		"{" + least + `,"action":"a` + "\xff" + `"}`:                                                                                                                                      false,
		"{" + least + `,"action":"\ud83d\ude00"}`:                                                                                                                                         false, // the framework takes it
		"{" + least + `,"action":"\ud83d"}`:                                                                                                                                               false,
		"{" + least + `,"action":"\x"}`:                                                                                                                                                   false,
		"{" + least + `,"action":"\u12"}`:                                                                                                                                                 false,
		"{" + least + `,"action":"a}`:                                                                                                                                                     false,
		"{" + least + `,}`:                                                                                                                                                                false,
		"{" + least + `}{`:                                                                                                                                                                false,
		"{" + least + ``:                                                                                                                                                                  false,
		`{"method":"","target":"/","host":"h"}`:                                                                                                                                           false,
		`{"method":"GET","target":"/"}`:                                                                                                                                                   false,
		`[` + least + `]`:                                                                                                                                                                 false,
		`{}`:                                                                                                                                                                              false,
		``:                                                                                                                                                                                false,
		`null`:                                                                                                                                                                            false,
	} {
		if accepted := wantFrameworks(t, reads, body); accepted != want {
			t.Errorf("%.200q: got %t, want %t", body, accepted, want)
		}
	}
}

func FuzzReadSignedRequest(f *testing.F) {
	f.Add("{" + least + `,"headers":[{"name":"A","value":"\"\u0026"},{"value":"é","name":"b"}],"body_base64":"","action":"a"}`)
	f.Add("{" + least + `,"headers":null,"base_host":"h","body_sha256":"00","source_ip":"::1","service":"s"}`)
	f.Add(`{"method":"GET","method":"PUT","target":"/","host":"h"} {`)
	reads := framework()
	f.Fuzz(func(t *testing.T, body string) { wantFrameworks(t, reads, body) })
}

// The verdict reads as the framework writes it, to the byte.
func TestVerdictAppend(t *testing.T) {
	formats := huma.DefaultJSONFormat
	for _, v := range []verdict{
		{}, {Allowed: true, Genuine: true, AccountID: "1", UserID: "2", AccessKeyID: "K", Scheme: "S", Position: 1 << 60, RequestID: "r"},
		{Reason: "r", Detail: `a "quoted" <word> & é` + "\x01\u2028", AccessKeyID: "\xff\\", RequestID: `"`},
		{Reason: "signature_mismatch", Detail: "the signature does not match & more <b>", RequestID: "a"},
	} {
		var want bytes.Buffer
		if err := formats.Marshal(&want, v); err != nil {
			t.Fatal(err)
		}
		if got := v.append(nil); !bytes.Equal(got, want.Bytes()) {
			t.Errorf("got %s, want %s", got, want.Bytes())
		}
	}
	if err := json.Unmarshal((&verdict{}).append([]byte(nil)), &verdict{}); err != nil {
		t.Error(fmt.Errorf("not JSON: %w", err))
	}
}

// TestAppendVerdict fills every member in, one by one and all at once, whatever members there come to be.
func TestAppendVerdict(t *testing.T) {
	var all verdict
	fill := func(v *verdict, i int) {
		switch f := reflect.ValueOf(v).Elem().Field(i); f.Kind() {
		case reflect.Bool:
			f.SetBool(true)
		case reflect.String:
			f.SetString("x")
		default:
			f.SetUint(7)
		}
	}
	verdicts := []verdict{{}, {Detail: `"<&>"`}}
	for i := range reflect.TypeFor[verdict]().NumField() {
		var one verdict
		fill(&one, i)
		fill(&all, i)
		verdicts = append(verdicts, one)
	}
	for _, v := range append(verdicts, all) {
		want, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		if v.Detail == `"<&>"` {
			want = []byte(`{"allowed":false,"genuine":false,"detail":"\"<&>\"","position":0,"request_id":""}`) // as an encoder writes it that leaves HTML alone
		}
		if got := strings.TrimSuffix(string(v.append(nil)), "\n"); got != string(want) {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}
