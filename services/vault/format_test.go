package vault_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/services/vault"
)

// format1 is an installation as the first version wrote it, with a sealed
// secret, the documented one. It was never used for anything else.
const format1 = "testdata/format-1"

// kept is the installation of format1, with the permissions that a checkout
// does not keep.
func kept(t *testing.T) place {
	t.Helper()
	p := newPlace(t)
	for from, to := range map[string]string{"unlock.key": p.unlock, "epoch-1": p.epoch(1)} {
		data, err := os.ReadFile(filepath.Join(format1, from))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(to, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

func readJSON(t *testing.T, path string, into any) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, into); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

func TestFormat1StillOpens(t *testing.T) {
	p := kept(t)
	k, err := vault.OpenUnlockKey(p.unlock, p.data)
	if err != nil {
		t.Fatal(err)
	}
	v, err := vault.Open(p.data, k)
	if err != nil {
		t.Fatal(err)
	}
	var s events.Sealed
	readJSON(t, filepath.Join(format1, "sealed.json"), &s)
	if got, err := v.Open(account, key, s); err != nil || string(got.Reveal()) != plain {
		t.Errorf("the kept secret does not open as what it was: %v", err)
	}
}

// TestFormatPageIsEnough opens what was kept, and what is written today, with
// nothing but docs/format/key-files.md and the standard library.
func TestFormatPageIsEnough(t *testing.T) {
	p := kept(t)
	var s events.Sealed
	readJSON(t, filepath.Join(format1, "sealed.json"), &s)
	if got := readByThePage(t, p, s); got != plain {
		t.Errorf("read by the page, the kept secret is another")
	}
	q := newPlace(t)
	if got := readByThePage(t, q, seal(t, q.create(t, q.createKey(t)), account, key, 1, plain)); got != plain {
		t.Errorf("read by the page, today's secret is another")
	}
}

func readByThePage(t *testing.T, p place, s events.Sealed) string {
	t.Helper()
	var unlock struct {
		Key          []byte `json:"key"`
		Installation string `json:"installation_id"`
	}
	readJSON(t, p.unlock, &unlock)
	var epoch struct {
		Unlock string `json:"unlock"`
		Epoch  int    `json:"epoch"`
		Keyset []byte `json:"keyset"`
	}
	readJSON(t, p.epoch(1), &epoch)
	id := sha256.Sum256(append([]byte("keyledger unlock key ID|"), unlock.Key...))
	if want := fmt.Sprintf("keyfile:%x", id[:8]); epoch.Unlock != want {
		t.Errorf("unlock: got %s, want %s", epoch.Unlock, want)
	}
	keyset := gcmOpen(t, unlock.Key, field(t, epoch.Keyset, 2), fmt.Sprintf("1|%s|epoch key|%d", unlock.Installation, epoch.Epoch))
	tinkKey := field(t, keyset, 2)
	epochKey := field(t, field(t, field(t, tinkKey, 1), 2), 3)
	prefix := fmt.Sprintf("1|%s|%s|%s|%d|", unlock.Installation, account, key, s.Version)
	wrapped := xaesOpen(t, epochKey, s.WrappedKey[5:], fmt.Sprintf("%sdata key|%d|%x", prefix, s.Epoch, sha256.Sum256(s.Ciphertext)))
	if got, want := s.WrappedKey[:5], append([]byte{1}, binary.BigEndian.AppendUint32(nil, uint32(number(t, tinkKey, 3)))...); !bytes.Equal(got, want) {
		t.Errorf("the wrapped key begins %x, want %x", got, want)
	}
	return string(gcmOpen(t, wrapped, s.Ciphertext, prefix+"secret"))
}

// gcmOpen is AES-256-GCM: 12 bytes of nonce, the ciphertext, 16 bytes of tag.
func gcmOpen(t *testing.T, key, sealed []byte, associatedData string) []byte {
	t.Helper()
	block, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := gcm.Open(nil, sealed[:12], sealed[12:], []byte(associatedData))
	if err != nil {
		t.Fatal(err)
	}
	return plain
}

// xaesOpen is XAES-256-GCM (C2SP): the first 12 bytes of the nonce make the key.
func xaesOpen(t *testing.T, key, sealed []byte, associatedData string) []byte {
	t.Helper()
	block, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	var k1 [16]byte // the first subkey of CMAC: all input is one whole block
	block.Encrypt(k1[:], k1[:])
	msb, carry := k1[0]>>7, byte(0)
	for i := 15; i >= 0; i-- {
		k1[i], carry = k1[i]<<1|carry, k1[i]>>7
	}
	k1[15] ^= msb * 0x87
	derived := make([]byte, 0, 32)
	for counter := byte(1); counter <= 2; counter++ {
		in := append([]byte{0, counter, 'X', 0}, sealed[:12]...)
		for i := range in {
			in[i] ^= k1[i]
		}
		block.Encrypt(in, in)
		derived = append(derived, in...)
	}
	return gcmOpen(t, derived, sealed[12:], associatedData)
}

// field is the field of a protobuf message that holds bytes.
func field(t *testing.T, message []byte, want protowire.Number) []byte {
	t.Helper()
	for len(message) > 0 {
		number, kind, n := protowire.ConsumeField(message)
		if n < 0 {
			t.Fatal(protowire.ParseError(n))
		}
		_, _, tag := protowire.ConsumeTag(message)
		if number == want && kind == protowire.BytesType {
			value, _ := protowire.ConsumeBytes(message[tag:])
			return value
		}
		message = message[n:]
	}
	t.Fatalf("no field %d", want)
	return nil
}

// number is the field of a protobuf message that holds a number.
func number(t *testing.T, message []byte, want protowire.Number) uint64 {
	t.Helper()
	for len(message) > 0 {
		num, kind, n := protowire.ConsumeField(message)
		if n < 0 {
			t.Fatal(protowire.ParseError(n))
		}
		if num == want && kind == protowire.VarintType {
			_, _, tag := protowire.ConsumeTag(message)
			value, _ := protowire.ConsumeVarint(message[tag:])
			return value
		}
		message = message[n:]
	}
	t.Fatalf("no field %d", want)
	return 0
}
