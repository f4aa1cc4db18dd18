package access_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/keyledger/keyledger/events/access"
)

// TestEncodeEvent holds the events of access records to the form that programs rely on.
func TestEncodeEvent(t *testing.T) {
	at := time.Date(2026, 11, 22, 12, 0, 0, 123000, time.FixedZone("east", 3600))
	whole := access.Record{
		ID: [16]byte{1, 2, 3, 4, 5, 6, 0x77, 8, 0x99, 10, 11, 12, 13, 14, 15, 16}, Time: at, Key: "KLAK0000000000000001", Account: "100000000001",
		User: "200000000000000001", Outcome: access.Denied, Reason: "disabled", Scheme: "AWS4-HMAC-SHA256", Service: "s3", Action: "GetObject", Region: "eu",
		SourceIP: netip.MustParseAddr("192.0.2.7"), UserAgent: "a \"b\"\n", RequestID: "r-1", Position: 7, Replay: [16]byte{1},
	}
	forged := access.Record{ID: [16]byte{1}, Time: at, Key: "KLAK0000000000000001", Account: "100000000001", User: "200000000000000001", Reason: "signature_mismatch", Count: 12}
	const envelope = `"source":"/accounts/100000000001/users/200000000000000001",`
	for _, c := range []struct {
		record access.Record
		want   string
	}{
		{whole, `{"specversion":"1.0","id":"01020304-0506-7708-990a-0b0c0d0e0f10",` + envelope + `"type":"dev.keyledger.key.used.v1","subject":"KLAK0000000000000001",` +
			`"time":"2026-11-22T11:00:00.000123Z","datacontenttype":"application/json","data":{"access_key_id":"KLAK0000000000000001","account_id":"100000000001",` +
			`"user_id":"200000000000000001","outcome":"denied","reason":"disabled","scheme":"AWS4-HMAC-SHA256","service":"s3","action":"GetObject","region":"eu",` +
			`"source_ip":"192.0.2.7","user_agent":"a \"b\"\n","request_id":"r-1","position":7}}`},
		{forged, `{"specversion":"1.0","id":"01000000-0000-0000-0000-000000000000",` + envelope + `"type":"dev.keyledger.key.attempted.v1","subject":"KLAK0000000000000001",` +
			`"time":"2026-11-22T11:00:00.000123Z","datacontenttype":"application/json","data":{"access_key_id":"KLAK0000000000000001","account_id":"100000000001",` +
			`"user_id":"200000000000000001","outcome":"attempt","reason":"signature_mismatch","scheme":"","service":"","action":"","region":"","user_agent":"","request_id":"","position":0,"count":12}}`},
	} {
		if got, err := access.EncodeEvent(&c.record); err != nil || string(got) != c.want {
			t.Errorf("got  %s, %v\nwant %s", got, err, c.want)
		}
	}
}
