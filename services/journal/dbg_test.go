package journal
import ("testing";"fmt";"os";"log/slog";"context";"errors";"sync"; "github.com/keyledger/keyledger/events"; "github.com/keyledger/keyledger/events/logtest")
func TestDbgRestarts(t *testing.T) {
	c := testConfig(t.TempDir())
	f, _ := os.Create("/tmp/dbg.log")
	c.Logger = slog.New(slog.NewTextHandler(f, &slog.HandlerOptions{Level: slog.LevelDebug}))
	j := opened(t, c)
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	var once sync.Once
	w := &writers{t: t, told: map[events.Position]events.EventID{}}
	for i := range 40 { all.Go(func() {
		s := logtest.Keyring(i)
		var last events.Position
		for ctx.Err() == nil {
			d := logtest.Decision(s, last)
			for ctx.Err() == nil {
				p, err := j.Append(context.WithoutCancel(ctx), d)
				if err == nil { last = p; w.remember(p, d.Events[0].ID); break }
				var cf *events.ConflictError
				if errors.As(err, &cf) {
					once.Do(func() {
						fmt.Println("CONFLICT", s, "after", d.After, "id", d.Events[0].ID, err)
						lastp, _ := j.Last(context.Background())
						for m, err := range j.stretch(context.Background(), 0, lastp) {
							if err != nil { fmt.Println(err); break }
							mm, _ := readMessage(m)
							fmt.Println(mm.Position, mm.Subject[len(mm.Subject)-3:], firstID(m.Data)[28:], "exp", m.Header.Get(headerExpected), "batch", m.Header.Get(headerBatchID), m.Header.Get(headerBatchSeq), m.Header.Get(headerBatchCommit), "told", w.told[mm.Position])
						}
						cancel()
					})
					return
				}
				pause(ctx, 1e7)
			}
		}
	}) }
	for n := range 10 {
		start := w.count()
		waitFor(t, "w", func() bool { return ctx.Err() != nil || w.count() > start + 100 })
		if ctx.Err() != nil { break }
		j.host.stop()
		waitFor(t, "a restart", func() bool { h := j.Health(); return ctx.Err() != nil || h.Restarts > n && h.Sick == "" && h.Writable })
	}
	cancel()
	all.Wait()
}
