package access_test

import (
	"context"
	"errors"
	"net/netip"
	"reflect"
	"testing"
	"time"

	"github.com/bufbuild/protocompile"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"
	"pgregory.net/rapid"

	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/events/access"
)

// schema is what access.proto says of a batch, compiled by another's compiler.
func schema(t testing.TB) protoreflect.MessageDescriptor {
	t.Helper()
	c := protocompile.Compiler{Resolver: &protocompile.SourceResolver{}}
	files, err := c.Compile(context.Background(), "access.proto")
	if err != nil {
		t.Fatal(err)
	}
	return files[0].Messages().ByName("Batch")
}

func anyRecord(t *rapid.T) access.Record {
	text := func(name string) string { return rapid.StringN(0, 20, 60).Draw(t, name) }
	sixteen := func(name string) (out [16]byte) {
		copy(out[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, name))
		return out
	}
	r := access.Record{
		ID: sixteen("id"), Time: time.UnixMicro(rapid.Int64Range(1, 1<<52).Draw(t, "time")).UTC(),
		Key: events.AccessKeyID(rapid.StringMatching(`[A-Z]{1,20}`).Draw(t, "key")), Account: events.AccountID(text("account")), User: events.UserID(text("user")),
		Outcome: access.Outcome(rapid.IntRange(0, 2).Draw(t, "outcome")), Reason: text("reason"), Scheme: text("scheme"),
		Service: text("service"), Action: text("action"), Region: text("region"), UserAgent: text("agent"), RequestID: text("request"),
		Position: events.Position(rapid.Uint64().Draw(t, "position")), Replay: sixteen("replay"), Count: rapid.Uint32().Draw(t, "count"),
	}
	r.ID[0] |= 1
	switch rapid.IntRange(0, 2).Draw(t, "family") {
	case 1:
		ip := sixteen("ip4")
		r.SourceIP = netip.AddrFrom4([4]byte(ip[:4]))
	case 2:
		ip := sixteen("ip6")
		ip[0] |= 1 // else it may be an IPv4 address in IPv6 clothes, which is written as the former
		r.SourceIP = netip.AddrFrom16(ip)
	}
	return r
}

// TestAgainstTheSchema writes and reads batches by the schema, with another's
// library: whoever has access.proto reads what we write.
func TestAgainstTheSchema(t *testing.T) {
	batch := schema(t)
	rapid.Check(t, func(t *rapid.T) {
		records := rapid.SliceOfN(rapid.Custom(anyRecord), 0, 5).Draw(t, "records")
		theirs := dynamicpb.NewMessage(batch)
		if err := proto.Unmarshal(access.Append(nil, records), theirs); err != nil {
			t.Fatal(err)
		}
		list := theirs.Get(batch.Fields().ByName("records")).List()
		if list.Len() != len(records) {
			t.Fatalf("they read %d records, want %d", list.Len(), len(records))
		}
		for i, r := range records {
			sameByTheirs(t, list.Get(i).Message(), r)
		}
		again, err := proto.Marshal(theirs)
		if err != nil {
			t.Fatal(err)
		}
		got, err := access.Parse(nil, again)
		if err != nil || len(got) != len(records) || len(got) > 0 && !reflect.DeepEqual(got, records) {
			t.Fatalf("what they write reads %+v, %v; want %+v", got, err, records)
		}
	})
}

func sameByTheirs(t *rapid.T, m protoreflect.Message, r access.Record) {
	fields := m.Descriptor().Fields()
	if n := len(m.GetUnknown()); n > 0 {
		t.Errorf("%d bytes are not in the schema", n)
	}
	for name, want := range map[protoreflect.Name]any{
		"time": uint64(r.Time.UnixMicro()), "key": string(r.Key), "account": string(r.Account), "user": string(r.User),
		"outcome": protoreflect.EnumNumber(r.Outcome), "reason": r.Reason, "scheme": r.Scheme, "service": r.Service,
		"action": r.Action, "region": r.Region, "user_agent": r.UserAgent, "request_id": r.RequestID,
		"position": uint64(r.Position), "count": r.Count,
	} {
		if got := m.Get(fields.ByName(name)).Interface(); got != want {
			t.Errorf("%s: they read %v, want %v", name, got, want)
		}
	}
	if got := m.Get(fields.ByName("id")).Bytes(); [16]byte(got) != r.ID {
		t.Errorf("id: they read %x, want %x", got, r.ID)
	}
}

func TestParseRefuses(t *testing.T) {
	good := access.Append(nil, []access.Record{{ID: [16]byte{1}, Time: time.UnixMicro(1), Key: "K"}})
	for name, data := range map[string][]byte{
		"cut":                good[:len(good)-1],
		"a tag alone":        {0x0a},
		"no ID":              access.Append(nil, []access.Record{{Time: time.UnixMicro(1), Key: "K"}})[:2],
		"no key":             access.Append(nil, []access.Record{{ID: [16]byte{1}, Time: time.UnixMicro(1)}}),
		"an unknown outcome": access.Append(nil, []access.Record{{ID: [16]byte{1}, Time: time.UnixMicro(1), Key: "K", Outcome: 3}}),
		"a short address":    {0x0a, 0x03, 0x62, 0x01, 0x07},
		"no field":           {0x07},
	} {
		var bad *access.MalformedError
		if got, err := access.Parse(nil, data); !errors.As(err, &bad) {
			t.Errorf("%s: got %+v, %v; want a *MalformedError", name, got, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(access.Append(nil, []access.Record{{ID: [16]byte{1}, Time: time.UnixMicro(1), Key: "K", SourceIP: netip.MustParseAddr("192.0.2.1")}}))
	f.Fuzz(func(t *testing.T, data []byte) {
		records, err := access.Parse(nil, data)
		if err != nil {
			return
		}
		again, err := access.Parse(nil, access.Append(nil, records))
		if err != nil || len(again) != len(records) {
			t.Fatalf("what was read reads %v, %v when it is written again", again, err)
		}
	})
}

func BenchmarkParse(b *testing.B) {
	records := make([]access.Record, access.MaxRecords)
	for i := range records {
		records[i] = access.Record{
			ID: [16]byte{1, byte(i)}, Time: time.UnixMicro(1), Key: "KLAK0123456789ABCDEF", Account: "123456789012", User: "123456789012345678",
			Outcome: access.Allowed, Scheme: "AWS4-HMAC-SHA256", Service: "s3", Action: "GetObject", Region: "eu-west-1",
			SourceIP: netip.MustParseAddr("192.0.2.1"), UserAgent: "aws-sdk-go-v2/1.30.0", RequestID: "0199-4f00", Position: 12345,
		}
	}
	data := access.Append(nil, records)
	b.ReportAllocs()
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		var err error
		if records, err = access.Parse(records[:0], data); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/access.MaxRecords, "ns/record")
	b.ReportMetric(float64(len(data))/access.MaxRecords, "B/record")
}
