// Command consumer is an example: it reads LEDGER and USED over NATS and prints a line
// for each event, from where an earlier run stopped on.
//
// It asks for messages by their sequence (JetStream's direct get), and takes what is
// published live for no more than a reason to ask again: so it can be killed at any time,
// be slow and lose its connection, and still miss nothing. What it had printed after it
// last wrote down its place it prints again, with the same IDs.
//
//	keyledger nats user create --name example --seed-out example.seed
//	keyledger serve --nats-listen 127.0.0.1:4222
//	go run ./docs/example/consumer -url nats://127.0.0.1:4222 -seed example.seed -places places
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"

	"github.com/keyledger/keyledger/events/access"
)

func main() {
	url := flag.String("url", "nats://127.0.0.1:4222", "where the server's --nats-listen is")
	seed := flag.String("seed", "example.seed", "file with the seed of nats user create")
	places := flag.String("places", "places", "directory where the places in the streams are kept")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *url, *seed, *places); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, url, seed, places string) error {
	key, err := nats.NkeyOptionFromSeed(seed)
	if err != nil {
		return err
	}
	inboxes, err := inboxPrefix(seed)
	if err != nil {
		return err
	}
	nc, err := nats.Connect(url, key, nats.CustomInboxPrefix(inboxes), nats.MaxReconnects(-1), nats.RetryOnFailedConnect(true), nats.ReconnectWait(100*time.Millisecond))
	if err != nil {
		return err
	}
	defer nc.Close()
	if err := os.MkdirAll(places, 0o700); err != nil {
		return err
	}
	failed := make(chan error, 2)
	go func() {
		failed <- (stream{nc, "LEDGER", "ledger.>", filepath.Join(places, "LEDGER"), printEvents}).follow(ctx)
	}()
	go func() { failed <- (stream{nc, "USED", "used.>", filepath.Join(places, "USED"), printUses}).follow(ctx) }()
	return <-failed
}

// inboxPrefix is where the owner of a seed may hear answers: _INBOX_<public key>.
func inboxPrefix(file string) (string, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	pair, err := nkeys.ParseDecoratedNKey(text)
	if err != nil {
		return "", err
	}
	defer pair.Wipe()
	public, err := pair.PublicKey()
	return "_INBOX_" + public, err
}

// A stream is read from where its file says on.
type stream struct {
	nc            *nats.Conn
	name, subject string
	place         string // file with the next sequence
	print         func(sequence uint64, data []byte) error
}

func (s stream) follow(ctx context.Context) error {
	next, err := s.begin()
	if err != nil {
		return err
	}
	news := make(chan struct{}, 1)
	_, err = s.nc.Subscribe(s.subject, func(*nats.Msg) { // never waits: a channel of the client's, full while this one catches up, would be called a slow consumer
		select {
		case news <- struct{}{}:
		default:
		}
	})
	if err != nil {
		return err
	}
	for {
		after, err := s.batch(ctx, next)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			log.Printf("%s: %v; going on at %d", s.name, err, after)
		case after > next:
			next = after
			continue
		}
		next = after
		select {
		case <-news:
		case <-time.After(time.Second):
		case <-ctx.Done():
			return nil
		}
	}
}

// begin is the sequence to begin with.
func (s stream) begin() (uint64, error) {
	text, err := os.ReadFile(s.place)
	if errors.Is(err, os.ErrNotExist) {
		return 1, nil
	}
	if err != nil {
		return 0, err
	}
	return strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64)
}

// batch asks for the messages from next on, prints them and keeps the place. It returns
// where it came to.
func (s stream) batch(ctx context.Context, next uint64) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	inbox := s.nc.NewInbox()
	answers, err := s.nc.SubscribeSync(inbox)
	if err != nil {
		return next, err
	}
	defer func() { _ = answers.Unsubscribe() }()
	request := fmt.Sprintf(`{"seq":%d,"batch":500}`, next)
	if err := s.nc.PublishRequest("$JS.API.DIRECT.GET."+s.name, inbox, []byte(request)); err != nil {
		return next, err
	}
	for {
		m, err := answers.NextMsgWithContext(ctx)
		if err != nil {
			return next, err
		}
		switch m.Header.Get("Status") {
		case "204", "404": // the end of the batch; no message at this place yet
			return next, s.keep(next)
		case "":
		default:
			return next, errors.New(m.Header.Get("Status") + " " + m.Header.Get("Description"))
		}
		sequence, err := strconv.ParseUint(m.Header.Get("Nats-Sequence"), 10, 64)
		if err != nil {
			return next, err
		}
		if sequence != next && s.name == "LEDGER" {
			return next, fmt.Errorf("message %d came in the place of %d", sequence, next) // the front of USED is trimmed, LEDGER never
		}
		if err := s.print(sequence, m.Data); err != nil {
			return next, err
		}
		next = sequence + 1
	}
}

// keep writes the place down so that a crash leaves the old one or the new one.
func (s stream) keep(next uint64) error {
	if err := os.WriteFile(s.place+".new", []byte(strconv.FormatUint(next, 10)), 0o600); err != nil {
		return err
	}
	return os.Rename(s.place+".new", s.place)
}

// printEvents prints a message of LEDGER: a CloudEvents batch in JSON.
func printEvents(sequence uint64, data []byte) error {
	var batch []struct{ ID, Type, Subject string }
	if err := json.Unmarshal(data, &batch); err != nil {
		return err
	}
	for _, e := range batch {
		fmt.Println("LEDGER", sequence, e.ID, e.Type, e.Subject)
	}
	return nil
}

// printUses prints a message of USED: access records in Protocol Buffers, as
// events/access/access.proto has them.
func printUses(sequence uint64, data []byte) error {
	records, err := access.Parse(nil, data)
	if err != nil {
		return err
	}
	for _, r := range records {
		fmt.Println("USED", sequence, uuid.UUID(r.ID), r.Outcome, r.Key)
	}
	return nil
}
