package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/keyledger/keyledger/services/dialect/aws"
)

// gatewayToken has the operator make a token for every account.
func (v *victim) gatewayToken() string {
	v.t.Helper()
	var made struct {
		Token string `json:"token"`
	}
	v.operator().must(http.MethodPost, "/v1/gateway-tokens", `{"name":"a gateway","installation":true}`, &made)
	return made.Token
}

// keys gives n keys of as many users of one new account, and its root user.
func (v *victim) keys(n int) (root caller, keys []credentialsFile) {
	v.t.Helper()
	t := v.tenant("strict")
	for i := range n {
		var key credentialsFile
		t.must(http.MethodPost, "/v1/users/"+t.user(fmt.Sprintf("user-%d", i))+"/keys", "", &key)
		keys = append(keys, key)
	}
	return t.caller, keys
}

// verification is a POST /v1/verify as it goes over the wire: of a request that was signed by a key,
// as an S3 client signs it.
func verification(token string, key credentialsFile, action string, now time.Time) []byte {
	req, err := http.NewRequest(http.MethodGet, "http://storage.example.com/bucket/folder/object.txt?versionId=7", nil)
	if err != nil {
		panic(err) // it stands above
	}
	req.Header.Set("User-Agent", "aws-sdk-go-v2/1.30.0 os/linux lang/go#1.26.0 md/GOOS#linux md/GOARCH#amd64 api/s3#1.58.0")
	req.Header.Set("Accept-Encoding", "identity")
	aws.Sign(req, nil, key.AccessKeyID, key.SecretAccessKey, "s3", "eu-west-1", now)
	body := map[string]any{
		"method": req.Method, "target": req.URL.RequestURI(), "host": req.Host, "source_ip": "192.0.2.7", "action": action, "headers": headerLines(req),
	}
	text, err := json.Marshal(body)
	if err != nil {
		panic(err) // it is made of strings
	}
	return fmt.Appendf(nil, "POST /v1/verify HTTP/1.1\r\nHost: keyledger\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
		token, len(text), text)
}

func headerLines(req *http.Request) (out []map[string]string) {
	for name, values := range req.Header {
		for _, value := range values {
			out = append(out, map[string]string{"name": name, "value": value})
		}
	}
	return out
}

// An answeredUse is the verdict that came back.
type answeredUse struct {
	Allowed   bool   `json:"allowed"`
	Reason    string `json:"reason"`
	RequestID string `json:"request_id"`
}

// A wire is a connection on which requests are sent that were made before, and answers are
// read no further than to their end: it leaves the processor to the server.
type wire struct {
	conn net.Conn
	in   *bufio.Reader
	body []byte // of the last answer
}

func dial(url string) (*wire, error) {
	conn, err := net.DialTimeout("tcp", strings.TrimPrefix(url, "http://"), 5*time.Second)
	if err != nil {
		return nil, err
	}
	return &wire{conn: conn, in: bufio.NewReader(conn)}, nil
}

// ask is the status that answers a request; w.body is its body.
func (w *wire) ask(request []byte) (status int, err error) {
	if err := w.conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		return 0, err
	}
	if _, err := w.conn.Write(request); err != nil {
		return 0, err
	}
	length := -1
	for {
		line, err := w.in.ReadSlice('\n')
		if err != nil {
			return 0, err
		}
		text := string(line)
		switch {
		case status == 0:
			if len(text) < 12 {
				return 0, fmt.Errorf("an answer begins with %q", text)
			}
			if status, err = strconv.Atoi(text[9:12]); err != nil {
				return 0, err
			}
		case text == "\r\n":
			return status, w.readBody(length)
		case strings.HasPrefix(text, "Content-Length: "):
			if length, err = strconv.Atoi(strings.TrimSpace(text[16:])); err != nil {
				return 0, err
			}
		}
	}
}

func (w *wire) readBody(length int) error {
	if length < 0 {
		return fmt.Errorf("an answer does not say how long it is")
	}
	if cap(w.body) < length {
		w.body = make([]byte, length)
	}
	w.body = w.body[:length]
	_, err := io.ReadFull(w.in, w.body)
	return err
}
