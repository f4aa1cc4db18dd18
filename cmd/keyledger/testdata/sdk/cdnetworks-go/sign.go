// Package sdk signs requests as CDNetworks documents it, for want of an SDK that package registries serve, and
// drives a running keyledger with them.
package sdk

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Sign signs req, which is about to be sent with that body.
// https://documents.cdnetworks.com/document/api-doc/ak-sk-authentication
func Sign(req *http.Request, body, accessKey, secret string, at time.Time) error {
	stamp := strconv.FormatInt(at.Unix(), 10)
	if req.Header.Get("Content-Type") == "" {
		req.Header.Set("Content-Type", "application/json")
	}
	query := ""
	if req.Method != http.MethodPost {
		var err error
		if query, err = url.QueryUnescape(req.URL.RawQuery); err != nil {
			return err
		}
	}
	host := req.Host
	if host == "" {
		host = req.URL.Host
	}
	canonical := strings.Join([]string{
		req.Method, req.URL.EscapedPath(), query,
		"content-type:" + strings.ToLower(req.Header.Get("Content-Type")), "host:" + strings.ToLower(host), "",
		"content-type;host", sum(body),
	}, "\n")
	m := hmac.New(sha256.New, []byte(secret))
	m.Write([]byte("CNC-HMAC-SHA256\n" + stamp + "\n" + sum(canonical)))
	req.Header.Set("x-cnc-accessKey", accessKey)
	req.Header.Set("x-cnc-timestamp", stamp)
	req.Header.Set("x-cnc-auth-method", "AKSK")
	req.Header.Set("Authorization", "CNC-HMAC-SHA256 Credential="+accessKey+", SignedHeaders=content-type;host, Signature="+hex.EncodeToString(m.Sum(nil)))
	return nil
}

func sum(text string) string {
	h := sha256.Sum256([]byte(text))
	return hex.EncodeToString(h[:])
}
