package vault_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/keyledger/keyledger/services/vault"
)

const plain = "kls_0Ab1Cd2Ef3Gh4Ij5Kl6Mn7Op8Qr9St07EE8W"

// leaks says whether text gives plain away in any way that Go prints bytes.
func leaks(text string) bool {
	bytesOf := fmt.Sprint([]byte(plain))
	ways := []string{
		plain, plain[:8], strings.Trim(bytesOf, "[]")[:24], fmt.Sprintf("%x", plain)[:16], fmt.Sprintf("%X", plain)[:16],
		fmt.Sprintf("%#v", []byte(plain))[8:30], fmt.Sprintf("% x", plain)[:20],
	}
	for _, w := range ways {
		if strings.Contains(text, w) {
			return true
		}
	}
	return false
}

type holder struct {
	Public  vault.Secret
	private vault.Secret
	pointer *vault.Secret
	list    []vault.Secret
	table   map[string]vault.Secret
	boxed   any
}

func hold() holder {
	s := vault.NewSecret([]byte(plain))
	return holder{s, s, &s, []vault.Secret{s}, map[string]vault.Secret{"k": s}, s}
}

func TestSecretPrintsNothing(t *testing.T) {
	s := vault.NewSecret([]byte(plain))
	for verb := '!'; verb <= '~'; verb++ {
		for _, flags := range []string{"", "+", "#", "-", " ", "0", "40", ".3"} {
			format := "%" + flags + string(verb)
			for _, value := range []any{s, &s} {
				if got := fmt.Sprintf(format, value); verb != '%' && verb != 'T' && verb != 'p' && !strings.Contains(got, "[secret]") && !strings.HasPrefix(got, "%!") {
					t.Errorf("%s of %T: got %q", format, value, got)
				}
			}
			h := hold()
			for _, value := range []any{s, &s, h, &h, []any{s}, map[string]any{"s": h}, struct{ s vault.Secret }{s}, errors.Join(fmt.Errorf("%v", s))} {
				if got := fmt.Sprintf(format, value); leaks(got) {
					t.Errorf("%s of %T leaks", format, value)
				}
			}
		}
	}
	for name, got := range map[string]string{"Sprint": fmt.Sprint(s), "Sprintln": fmt.Sprintln(&s), "String": s.String(), "GoString": s.GoString(), "LogValue": s.LogValue().String()} {
		if strings.TrimSpace(got) != "[secret]" {
			t.Errorf("%s: got %q", name, got)
		}
	}
}

func TestSecretIsNotWrittenOut(t *testing.T) {
	s, h := vault.NewSecret([]byte(plain)), hold()
	var log bytes.Buffer
	for _, handler := range []slog.Handler{slog.NewTextHandler(&log, nil), slog.NewJSONHandler(&log, nil)} {
		l := slog.New(handler)
		l.Info("m", "s", s, "p", &s, "h", h, "g", slog.GroupValue(slog.Any("s", s)))
		l.With("s", s).WithGroup("g").Error("m", "h", &h)
	}
	if leaks(log.String()) || !strings.Contains(log.String(), "[secret]") {
		t.Error("the log leaks, or does not show that there is a secret")
	}
	j, err := json.Marshal(map[string]any{"s": s, "p": &s, "h": h, "m": map[string]vault.Secret{"k": s}})
	if err != nil || leaks(string(j)) {
		t.Errorf("JSON leaks: %v", err)
	}
	type element struct{ S vault.Secret }
	x, err := xml.Marshal(element{s})
	if err != nil || !strings.Contains(string(x), "[secret]") {
		t.Errorf("XML: got %s, %v", x, err)
	}
}

// TestSecretHidesFromReflection walks as the curious printers do: through
// unexported fields, pointers and interfaces, to every string and byte slice.
func TestSecretHidesFromReflection(t *testing.T) {
	find := func(value any) (found []string) {
		walk(reflect.ValueOf(value), func(text string) { found = append(found, text) })
		return found
	}
	open := struct{ p *[]byte }{new([]byte)}
	*open.p = []byte(plain)
	if got := find(open); !slices.Equal(got, []string{plain}) {
		t.Fatalf("the walk misses what is not hidden")
	}
	h := hold()
	for _, value := range []any{vault.NewSecret([]byte(plain)), h, &h} {
		if slices.ContainsFunc(find(value), leaks) {
			t.Errorf("%T gives its secret to whoever walks through its fields", value)
		}
	}
}

func walk(v reflect.Value, found func(string)) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			walk(v.Elem(), found)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			walk(v.Field(i), found)
		}
	case reflect.Map:
		for i := v.MapRange(); i.Next(); {
			walk(i.Key(), found)
			walk(i.Value(), found)
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			found(string(v.Bytes()))
			return
		}
		for i := range v.Len() {
			walk(v.Index(i), found)
		}
	case reflect.String:
		found(v.String())
	}
}

func TestSecretIsNotReadBackFromWhatItPrints(t *testing.T) {
	var s vault.Secret
	if err := json.Unmarshal([]byte(`"[secret]"`), &s); err == nil {
		t.Error("the text [secret] became a secret")
	}
}

func TestSecretRevealAndClear(t *testing.T) {
	held := []byte(plain)
	s := vault.NewSecret(held)
	copied := s
	if got := string(s.Reveal()); got != plain {
		t.Fatal("Reveal gives something else than was put in")
	}
	if s.IsZero() {
		t.Error("a secret counts as none")
	}
	s.Clear()
	s.Clear()
	if !copied.IsZero() || copied.Reveal() != nil {
		t.Error("a copy outlives Clear")
	}
	if !bytes.Equal(held, make([]byte, len(plain))) {
		t.Error("the bytes outlive Clear")
	}
	var zero vault.Secret
	zero.Clear()
	if !zero.IsZero() || zero.Reveal() != nil || zero.String() != "[secret]" {
		t.Error("the zero Secret is not empty")
	}
}
