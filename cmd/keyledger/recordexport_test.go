package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
)

// aRecord is a record as the server lists it, with a user agent as JSON has it.
func aRecord(agent string) json.RawMessage {
	return json.RawMessage(`{"id":"0193","time":"2026-11-22T12:00:00.123456Z","access_key_id":"KLAK1","account_id":"100000000001","user_id":"200000000000000001",` +
		`"outcome":"attempt","reason":"signature_wrong","scheme":"AWS4-HMAC-SHA256","service":"s3","action":"","region":"local","source_ip":"192.0.2.7",` +
		`"user_agent":` + agent + `,"request_id":"r","position":18446744073709551615,"count":3}`)
}

// TestCSVIsDocumented holds docs/command-line.md to the columns of an export, in their order.
func TestCSVIsDocumented(t *testing.T) {
	page, err := os.ReadFile("../../docs/command-line.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(page), "| column | |\n| --- | --- |\n")
	table, _, _ = strings.Cut(table, "\n\n")
	var documented []string
	for row := range strings.SplitSeq(table, "\n") {
		cells := strings.Split(row, " | ")
		documented = append(documented, strings.ReplaceAll(strings.TrimPrefix(cells[0], "| "), "`", ""))
	}
	if got, want := strings.Join(documented, ", "), strings.Join(csvFields, ", "); got != want {
		t.Errorf("docs/command-line.md has the columns %q, the export %q", got, want)
	}
}

// TestExportAsItIs writes a record that others had a hand in: to a file as it is, but for what a spreadsheet would
// run; on a terminal without what that would act on.
func TestExportAsItIs(t *testing.T) {
	const hostile = `"=1+1\u001b[2J,\n\u009b\"` + "\u009b" + `"`
	const before = "2026-11-22T12:00:00.123456Z,KLAK1,100000000001,200000000000000001,attempt,signature_wrong,AWS4-HMAC-SHA256,s3,,local,192.0.2.7,"
	const behind = ",r,18446744073709551615,3,0193\n"
	for _, c := range []struct {
		csv, shown bool
		want       string
	}{
		{true, false, before + "\"'=1+1\x1b[2J,\n\u009b\"\"\u009b\"" + behind},
		{true, true, before + "\"'=1+1\ufffd[2J,\ufffd\ufffd\"\"\ufffd\"" + behind},
		{false, false, string(aRecord(hostile)) + "\n"},
		{false, true, strings.ReplaceAll(string(aRecord(hostile)), "\u009b", `\u009b`) + "\n"},
	} {
		var out bytes.Buffer
		w := exporter{t: &terminal{out: &out, err: io.Discard, shown: c.shown}, csv: c.csv}
		if err := w.write([]json.RawMessage{aRecord(hostile)}); err != nil || out.String() != c.want {
			t.Errorf("csv %v, on a terminal %v: got %v\n%q, want\n%q", c.csv, c.shown, err, &out, c.want)
		}
	}
}

// TestExportReadsARecordOnce holds CSV to a small multiple of what reading the records once takes.
func TestExportReadsARecordOnce(t *testing.T) {
	items := []json.RawMessage{aRecord(`"a"`)}
	once := testing.AllocsPerRun(100, func() { _, _ = parseRow(items[0]) })
	w := exporter{t: &terminal{out: io.Discard, err: io.Discard}, csv: true}
	if all := testing.AllocsPerRun(100, func() { _ = w.write(items) }); all > 3*once {
		t.Errorf("%.0f allocations write a record, and %.0f read it", all, once)
	}
}

// TestExportCutOff has the server fail in the middle: the export says where to go on, and what is written from there
// makes the whole of it.
func TestExportCutOff(t *testing.T) {
	var asked []string
	whole := counts(2500, `{"position":%d}`, &asked)
	for _, format := range []string{"csv", "jsonl"} {
		client, _ := against(t, whole, whole, answers(http.StatusServiceUnavailable, `{"code":"records.damaged","detail":"d"}`))
		var out, errs bytes.Buffer
		export := recordExport{Format: format}
		if err := export.Run(t.Context(), &terminal{out: &out, err: &errs}, client); exitFor(err) != exitUnreachable {
			t.Fatalf("%s: got %v", format, err)
		}
		if !strings.Contains(errs.String(), "after 2000 records; the same command with --cursor 2000 goes on") {
			t.Errorf("%s: it says %q", format, &errs)
		}
		client, _ = against(t, whole)
		export.Cursor = "2000"
		if err := export.Run(t.Context(), &terminal{out: &out, err: &errs}, client); err != nil {
			t.Fatal(err)
		}
		client, _ = against(t, whole)
		var want bytes.Buffer
		export.Cursor = ""
		if err := export.Run(t.Context(), &terminal{out: &want, err: &errs}, client); err != nil || want.String() != out.String() {
			t.Errorf("%s: in two goes %d bytes, in one %d, %v", format, out.Len(), want.Len(), err)
		}
	}
}

// A fullDisk takes so many bytes, and of what is more as much as there is room for.
type fullDisk struct {
	bytes.Buffer
	room int
}

func (d *fullDisk) Write(text []byte) (int, error) {
	fits := min(len(text), d.room-d.Len())
	n, _ := d.Buffer.Write(text[:fits])
	if n < len(text) {
		return n, syscall.ENOSPC
	}
	return n, nil
}

// TestExportToAFullDisk leaves half a record behind: the warning says what to keep of it and where to go on, and then
// the whole comes out.
func TestExportToAFullDisk(t *testing.T) {
	var asked []string
	whole := counts(2500, `{"position":%d}`, &asked)
	export := func(out io.Writer, format, cursor string) (string, error) {
		client, _ := against(t, whole)
		var errs bytes.Buffer
		err := (&recordExport{Format: format, Cursor: cursor}).Run(t.Context(), &terminal{out: out, err: &errs}, client)
		return errs.String(), err
	}
	for _, format := range []string{"csv", "jsonl"} {
		var want bytes.Buffer
		if _, err := export(&want, format, ""); err != nil {
			t.Fatal(err)
		}
		disk := fullDisk{room: want.Len() * 9 / 10}
		told, err := export(&disk, format, "")
		var records, size, cursor int
		_, rest, _ := strings.Cut(told, "cut off after ")
		if _, bad := fmt.Sscanf(rest, "%d whole records (%d bytes)", &records, &size); bad != nil || exitFor(err) != exitRefused || records != 2000 {
			t.Fatalf("%s: got %v, %q", format, err, told)
		}
		_, rest, _ = strings.Cut(rest, "--cursor ")
		if _, bad := fmt.Sscan(rest, &cursor); bad != nil || cursor != records {
			t.Errorf("%s: no cursor of what comes next in %q", format, told)
		}
		disk.Truncate(size)
		disk.room = want.Len()
		if _, err := export(&disk, format, fmt.Sprint(cursor)); err != nil || disk.String() != want.String() {
			t.Errorf("%s: in two goes %d bytes, in one %d, %v", format, disk.Len(), want.Len(), err)
		}
		for _, room := range []int{0, want.Len() / 10} {
			if told, err := export(&fullDisk{room: room}, format, ""); exitFor(err) != exitRefused || !strings.Contains(told, "begins anew") || strings.Contains(told, "--cursor") {
				t.Errorf("%s: in the first page: got %v, %q", format, err, told)
			}
		}
		if told, err := export(&fullDisk{room: 7}, format, "1000"); err == nil || !strings.Contains(told, "cut off after 0 whole records (0 bytes)") || !strings.Contains(told, "--cursor 1000 ") {
			t.Errorf("%s: in the first page behind a cursor: %q", format, told)
		}
	}
}

// TestExportThatNeverBegan names no cursor: there is none.
func TestExportThatNeverBegan(t *testing.T) {
	client, _ := against(t, answers(http.StatusServiceUnavailable, `{"code":"unavailable","detail":"d"}`))
	var errs bytes.Buffer
	err := (&recordExport{Format: "jsonl"}).Run(t.Context(), &terminal{out: io.Discard, err: &errs}, client)
	if exitFor(err) != exitUnreachable || errs.Len() > 0 {
		t.Errorf("got %v, and %q", err, &errs)
	}
}

// BenchmarkExport writes pages of 1000 records.
func BenchmarkExport(b *testing.B) {
	items := make([]json.RawMessage, maxPage)
	for i := range items {
		items[i] = aRecord(fmt.Sprintf(`"agent %d"`, i))
	}
	for _, format := range []string{"csv", "jsonl"} {
		b.Run(format, func(b *testing.B) {
			w := exporter{t: &terminal{out: io.Discard, err: io.Discard}, csv: format == "csv"}
			for b.Loop() {
				if err := w.write(items); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
