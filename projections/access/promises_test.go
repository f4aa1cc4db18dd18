package access_test

import (
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/keyledger/keyledger/events"
	uses "github.com/keyledger/keyledger/events/access"
	"github.com/keyledger/keyledger/projections"
	"github.com/keyledger/keyledger/projections/access"
	"github.com/keyledger/keyledger/projections/row"
)

func TestBatchesDoNotMatter(t *testing.T) {
	story := tell(lots(1), begin, 1, 200)
	want := told(t, story).Dump()
	for seed := range uint64(4) {
		draw, s := lots(seed), fresh(t)
		for rest := story; len(rest) > 0; {
			n := 1 + draw(min(len(rest), []int{1, 20, 200}[seed%3]))
			apply(t, s, rest[:n])
			if rest = rest[n:]; draw(4) == 0 {
				s.Forget()
			}
		}
		same(t, s.Dump(), want)
	}
}

func TestTwiceEqualsOnce(t *testing.T) {
	story := tell(lots(2), begin, 1, 100)
	want := told(t, story).Dump()
	s := fresh(t)
	for i := range story {
		apply(t, s, story[max(0, i-10):i+1])
		apply(t, s, story[:i/2])
	}
	same(t, s.Dump(), want)
	if got := s.Position(); got != 100 {
		t.Errorf("position %d, want 100", got)
	}
}

// TestCrashAnywhere lets the machine fail at random moments, some of them in the middle of an
// Apply: what is on the disk is a prefix of the messages, and applying the rest gives the
// rows of a life without crashes.
func TestCrashAnywhere(t *testing.T) {
	story := tell(lots(3), begin, 1, 400)
	prefix := prefixes(t, story)
	midway := 0
	for seed := range uint64(12) {
		lots := rand.New(rand.NewPCG(seed, 4))
		for _, fs := range crashes(t, story, lots) {
			s := open(t, fs)
			at := s.Position()
			same(t, s.Dump(), prefix[at])
			if at > 0 && int(at) < len(story) {
				midway++
			}
			apply(t, s, story)
			same(t, s.Dump(), prefix[len(story)])
			if err := s.Close(); err != nil || t.Failed() {
				t.Fatalf("seed %d, crashed after %d: %v", seed, at, err)
			}
		}
	}
	if midway < 20 {
		t.Errorf("%d crashes left something in the middle of the story: too few to prove anything", midway)
	}
}

// prefixes is the rows after each message.
func prefixes(t *testing.T, story []uses.Message) [][]string {
	s := fresh(t)
	out := [][]string{s.Dump()}
	for i := range story {
		apply(t, s, story[i:i+1])
		out = append(out, s.Dump())
	}
	return out
}

// crashes are what the disk may hold at some moments of the story's being applied.
func crashes(t *testing.T, story []uses.Message, lots *rand.Rand) (out []*vfs.MemFS) {
	fs := vfs.NewCrashableMem()
	s := open(t, fs)
	defer s.Close()
	if err := s.Flush(); err != nil {
		t.Fatal(err)
	}
	var clones sync.WaitGroup
	var mu sync.Mutex
	done := make(chan struct{})
	wait := rand.New(rand.NewPCG(lots.Uint64(), 5)) // the clones' own
	clones.Go(func() {
		for n := 0; n < 6; n++ {
			select {
			case <-done:
				return
			case <-time.After(time.Duration(wait.IntN(3000)) * time.Microsecond):
			}
			clone := fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: []int{0, 100, 50}[n%3], RNG: wait})
			mu.Lock()
			out = append(out, clone)
			mu.Unlock()
		}
	})
	for rest := story; len(rest) > 0; {
		n := min(len(rest), 1+lots.IntN(20))
		apply(t, s, rest[:n])
		rest = rest[n:]
		if lots.IntN(10) == 0 {
			mu.Lock()
			out = append(out, fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: lots.IntN(101), RNG: lots}))
			mu.Unlock()
		}
	}
	close(done)
	clones.Wait()
	return out
}

func TestGapsAreRefused(t *testing.T) {
	story := tell(lots(4), begin, 5, 20)
	s := fresh(t)
	var gap *access.GapError
	if err := s.Apply(story); !errors.As(err, &gap) || *gap != (access.GapError{Want: 1, Got: 5}) || s.Position() != 0 {
		t.Errorf("got %v, position %d; want the gap at 1, and nothing applied", err, s.Position())
	}
	if err := s.SkipTo(5); err != nil {
		t.Fatal(err)
	}
	apply(t, s, story[:4])
	if err := s.Apply(slices.Concat(story[4:6], story[9:])); !errors.As(err, &gap) || *gap != (access.GapError{Want: 11, Got: 14}) {
		t.Errorf("got %v, want the gap at 11", err)
	}
	if got := s.Position(); got != 10 {
		t.Errorf("position %d, want 10: what is before the gap is applied", got)
	}
	if err := s.SkipTo(14); err != nil {
		t.Fatal(err)
	}
	if err := s.SkipTo(3); err != nil || s.Position() != 13 {
		t.Errorf("SkipTo what is applied: %v, position %d; want 13", err, s.Position())
	}
	apply(t, s, story[9:])
	if got := s.Position(); got != 24 {
		t.Errorf("position %d, want 24", got)
	}
	whole := slices.Concat([]uses.Message{message(1), message(2), message(3), message(4)}, story[:6], []uses.Message{message(11), message(12), message(13)}, story[9:])
	same(t, s.Dump(), told(t, whole).Dump())
}

func TestPoisonStops(t *testing.T) {
	story := tell(lots(6), begin, 1, 20)
	bad := slices.Clone(story)
	bad[10].Data = append(slices.Clone(bad[10].Data), 7)
	fs := vfs.NewMem()
	s := open(t, fs)
	var poisoned *access.PoisonedError
	var malformed *uses.MalformedError
	for range 2 {
		if err := s.Apply(bad); !errors.As(err, &poisoned) || poisoned.Position != 11 || !errors.As(err, &malformed) {
			t.Fatalf("got %v, want what is wrong at 11", err)
		}
	}
	same(t, s.Dump(), told(t, story[:10]).Dump())
	var order *access.OrderError
	if err := s.Skip(13); !errors.As(err, &order) || *order != (access.OrderError{Next: 11, Got: 13}) {
		t.Errorf("skip another: got %v", err)
	}
	if err := errors.Join(s.Skip(11), s.Skip(11), s.Close()); err != nil {
		t.Fatal(err)
	}
	s = open(t, fs)
	defer s.Close()
	apply(t, s, bad[11:])
	passed := slices.Clone(story)
	passed[10] = message(11)
	same(t, s.Dump(), told(t, passed).Dump())
}

func TestAnotherLogIsRefused(t *testing.T) {
	fs := vfs.NewMem()
	s := open(t, fs)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	var another *projections.IdentityError
	if _, err := access.Open("store", "another", small(fs)); !errors.As(err, &another) || *another != (projections.IdentityError{Stored: identity, Given: "another"}) {
		t.Errorf("got %v, want an IdentityError", err)
	}
	s = open(t, fs) // and the refused one has let go of it
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestOlderStoresAreRemoved(t *testing.T) {
	fs := vfs.NewMem()
	for _, dir := range []string{"store/v0", "store/v1", "store/v7", "store/other"} {
		if err := fs.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := open(t, fs).Close(); err != nil {
		t.Fatal(err)
	}
	got, err := fs.List("store")
	slices.Sort(got)
	if want := []string{"other", "v2", "v7"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, %v; want %v", got, err, want)
	}
}

// TestAFaultIsNotRemembered has a row that cannot be read in the way of a message; what was
// gathered of it and those before it must not count when it is tried again.
func TestAFaultIsNotRemembered(t *testing.T) {
	story := tell(lots(7), begin, 1, 60)
	s := fresh(t)
	apply(t, s, story[:30])
	s.Forget()
	undo := s.Damage(keys[2])
	if err := s.Apply(story[30:]); !errors.Is(err, row.ErrMalformed) {
		t.Fatalf("got %v, want what is wrong with the row", err)
	}
	undo()
	if got := s.Position(); got != 30 {
		t.Errorf("position %d, want 30", got)
	}
	apply(t, s, story[30:])
	same(t, s.Dump(), told(t, story).Dump())
}

func TestQuestionsThatAreRefused(t *testing.T) {
	s := told(t, tell(lots(8), begin, 1, 30))
	if _, err := s.List(access.Query{Key: keys[0]}, "", 1); !errors.Is(err, access.ErrNoAccount) {
		t.Errorf("no account: got %v", err)
	}
	var many *access.TooManyError
	if _, err := s.LastOf(make([]events.AccessKeyID, access.MaxKeys+1)); !errors.As(err, &many) || many.Given != access.MaxKeys+1 {
		t.Errorf("too many keys: got %v", err)
	}
	q := access.Query{Account: accounts[0]}
	page, err := s.List(q, "", 1)
	if err != nil || page.Next == "" {
		t.Fatalf("%+v, %v; want a cursor", page, err)
	}
	bound := q
	bound.NotBefore = begin
	if _, err := s.List(bound, page.Next, 1); err != nil {
		t.Errorf("the bound has moved on: got %v", err)
	}
	for name, other := range map[string]access.Query{
		"account": {Account: accounts[1]}, "key": {Account: accounts[0], Key: keys[0]}, "address": {Account: accounts[0], SourceIP: addresses[0]},
		"outcome": {Account: accounts[0], Which: access.Failed}, "since": {Account: accounts[0], Period: access.Period{Since: begin}},
		"until": {Account: accounts[0], Period: access.Period{Until: begin}},
	} {
		refuses(t, s, "another "+name, other, page.Next)
	}
	for _, bad := range []string{"x", "AQ", page.Next + "A", page.Next[:len(page.Next)-4], page.Next + "\n"} {
		refuses(t, s, bad, q, bad)
	}
}

func refuses(t *testing.T, s *access.Store, name string, q access.Query, cursor string) {
	t.Helper()
	var bad *projections.CursorError
	if _, err := s.List(q, cursor, 1); !errors.As(err, &bad) {
		t.Errorf("%s: got %v, want a CursorError", name, err)
	}
}
