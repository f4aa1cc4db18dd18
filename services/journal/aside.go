package journal

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/services/durable"
)

// asideDir holds damaged blocks as they were found, and what was lost with them:
// docs/format/data-directory.md.
const asideDir = "aside"

// A Damage is a place of a stream beside LEDGER at which a block did not hold what was
// written, or was not there. The block as it was found lies in the file Aside; in its place is one
// that holds all that could be read of it.
type Damage struct {
	Stream string `json:"stream"`
	Block  string `json:"block"`  // name of the file
	Offset int64  `json:"offset"` // in what the block holds, decompressed
	Why    string `json:"why"`
	// From and Through are the first and the last message that is lost. Where nothing
	// whole is behind or before the place they are bounds: at most these are.
	From    events.Position `json:"from"`
	Through events.Position `json:"through"`
	Aside   string          `json:"-"` // path; empty if there was no block to keep
}

// String names what is lost for an operator.
func (d Damage) String() string {
	lost := fmt.Sprintf("messages %d to %d are lost", d.From, d.Through)
	if d.From == d.Through {
		lost = fmt.Sprintf("message %d is lost", d.From)
	}
	return fmt.Sprintf("block %s of stream %s is damaged at offset %d (%s): %s", d.Block, d.Stream, d.Offset, d.Why, lost)
}

// An asideRecord is what is written down of a block that was set aside.
type asideRecord struct {
	Stream string          `json:"stream"`
	Block  string          `json:"block"`
	Last   events.Position `json:"last"` // of the messages that the block held, lost or not
	Lost   []Damage        `json:"lost"`
	Gone   bool            `json:"gone,omitempty"` // no block is in its place
}

// An aside is the directory of what was set aside.
type aside struct{ dir string }

func asideOf(store string) aside { return aside{filepath.Join(store, asideDir)} }

// put gives a block's file a second name here, and writes down what is lost with it. It is
// named by its content, so that who is interrupted does it again and not twice.
func (a aside) put(path string, r asideRecord) error {
	content, err := readPatiently(path)
	if err != nil {
		return err
	}
	name := fmt.Sprintf("%s-%s-%08x", r.Stream, strings.TrimSuffix(r.Block, ".blk"), crc32.ChecksumIEEE(content))
	if err := durable.MkdirAll(a.dir, 0o700); err != nil {
		return err
	}
	if err := os.Link(path, filepath.Join(a.dir, name+".blk")); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return a.write(name, r)
}

// note writes down what is lost where there is no block to keep.
func (a aside) note(r asideRecord) error {
	if err := durable.MkdirAll(a.dir, 0o700); err != nil {
		return err
	}
	return a.write(fmt.Sprintf("%s-%s-missing", r.Stream, strings.TrimSuffix(r.Block, ".blk")), r)
}

func (a aside) write(name string, r asideRecord) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return durable.WriteFile(filepath.Join(a.dir, name+".json"), append(text, '\n'), 0o600)
}

// gone are the files of a stream's blocks that nothing is in the place of.
func (a aside) gone(stream string) (map[string]bool, error) {
	records, err := a.records()
	names := map[string]bool{}
	for _, r := range records {
		if r.Stream == stream && r.Gone {
			names[r.Block] = true
		}
	}
	return names, err
}

// records are what is written down here, by the path without its ending.
func (a aside) records() (map[string]asideRecord, error) {
	paths, err := filepath.Glob(filepath.Join(a.dir, "*.json"))
	if err != nil {
		return nil, err
	}
	all := map[string]asideRecord{}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("journal: what was set aside: %w", err)
		}
		var r asideRecord
		if err := json.Unmarshal(text, &r); err != nil {
			return nil, fmt.Errorf("journal: what was set aside: %s: %w", path, err)
		}
		all[strings.TrimSuffix(path, ".json")] = r
	}
	return all, nil
}

// damages are all places, in the order of the streams' messages.
func (a aside) damages() ([]Damage, error) {
	records, err := a.records()
	if err != nil {
		return nil, err
	}
	var all []Damage
	for path, r := range records {
		block := path + ".blk"
		if _, err := os.Stat(block); err != nil {
			block = ""
		}
		for _, d := range r.Lost {
			d.Aside = block
			all = append(all, d)
		}
	}
	slices.SortFunc(all, func(x, y Damage) int {
		if x.Stream != y.Stream {
			return strings.Compare(x.Stream, y.Stream)
		}
		return int(x.From) - int(y.From)
	})
	return all, nil
}

// forget removes what was set aside of a stream, of which nothing behind last was in it: it
// has been trimmed.
func (a aside) forget(stream string, last events.Position) error {
	records, err := a.records()
	if err != nil {
		return err
	}
	for path, r := range records {
		if r.Stream != stream || r.Last > last {
			continue
		}
		for _, ending := range []string{".blk", ".json"} {
			if err := os.Remove(path + ending); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	return nil
}

// Damages are the places at which messages of USED and SUMMARY were lost, as far as they
// are not trimmed.
func (j *Journal) Damages() []Damage { return *j.damages.Load() }

// lookAside reads what was set aside.
func (j *Journal) lookAside() error {
	all, err := asideOf(j.config.Dir).damages()
	if err == nil {
		j.damages.Store(&all)
	}
	return err
}

// damageAt is the place at which a message was lost.
func (j *Journal) damageAt(stream string, p events.Position) (Damage, bool) {
	for _, d := range j.Damages() {
		if d.Stream == stream && d.From <= p && p <= d.Through {
			return d, true
		}
	}
	return Damage{}, false
}

// Passed reports whether an operator let a message of a stream pass that is lost or cannot be read.
// Leave for the first message of a place is leave for all of it.
func (j *Journal) Passed(stream string, p events.Position) bool {
	if j.excused(stream, p) {
		return true
	}
	d, lost := j.damageAt(stream, p)
	return lost && j.excused(stream, d.From)
}

// Unacknowledged are the damages that no operator has let pass.
func (j *Journal) Unacknowledged() []Damage {
	return slices.DeleteFunc(slices.Clone(j.Damages()), func(d Damage) bool { return j.excused(d.Stream, d.From) })
}
