package vector

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/keyledger/keyledger/services/dialect"
)

// Reasons of a judgement beside those of [dialect.RefusedError] and the codes
// of [dialect.MalformedError].
const (
	Unsigned = "unsigned"       // no scheme reads it
	OtherKey = "other_key"      // it is signed by another key than the entry names
	Failed   = "reading_failed" // a scheme broke its contract
)

// A Judgement is what became of one vector.
type Judgement struct {
	Name   string
	Valid  bool
	Reason string // "" if valid, else a stable code
	Detail string // "" if valid, else a sentence

	// What was signed, if the request could be read that far.
	CanonicalRequest []byte
	StringToSign     []byte

	readings []dialect.Claim // all that the request could be read as
}

// Judge judges v with its own secret at its own time.
func Judge(v Vector, schemes []dialect.Scheme) Judgement {
	j := JudgeRequest(v.Request(), v.AccessKeyID, v.Secret, v.At(), schemes)
	j.Name = v.Name
	if client := v.ClientStringToSign + v.ClientCanonicalRequest; client != "" && !j.Valid && len(j.readings) > 0 {
		c := dialect.Closest(j.readings, []byte(v.ClientStringToSign), []byte(v.ClientCanonicalRequest))
		j.CanonicalRequest, j.StringToSign = c.CanonicalRequest, c.StringToSign
	}
	return j
}

// JudgeRequest judges r as if accessKeyID were the only key there is. Where a
// scheme gives several readings, one that holds is enough, and the first one is
// shown if none does.
func JudgeRequest(r *dialect.Request, accessKeyID, secret string, at time.Time, schemes []dialect.Scheme) Judgement {
	claims, err := dialect.Read(r, schemes)
	if err != nil {
		return refused(Judgement{}, err)
	}
	if len(claims) == 0 {
		return Judgement{Reason: Failed, Detail: "a scheme read nothing and gave no error"}
	}
	j := Judgement{CanonicalRequest: claims[0].CanonicalRequest, StringToSign: claims[0].StringToSign, readings: claims}
	if claims[0].AccessKeyID != accessKeyID {
		j.Reason, j.Detail = OtherKey, "the request is signed by another access key than the entry names"
		return j
	}
	c, err := dialect.CheckAny(claims, []byte(secret), at)
	if err != nil {
		return refused(j, err)
	}
	return Judgement{Valid: true, CanonicalRequest: c.CanonicalRequest, StringToSign: c.StringToSign}
}

func refused(j Judgement, err error) Judgement {
	j.Reason, j.Detail = Failed, err.Error()
	if bad, ok := errors.AsType[*dialect.MalformedError](err); ok {
		j.Reason, j.Detail = bad.Code, bad.Detail
	}
	if no, ok := errors.AsType[*dialect.RefusedError](err); ok {
		j.Reason = no.Reason
	}
	if errors.Is(err, dialect.ErrUnsigned) {
		j.Reason = Unsigned
	}
	return j
}

// Report judges every vector and writes one line for each to w: "ok" or
// "DIFFERS", the name, the verdict and its reason. With explain, what was
// signed follows, indented, and where what the client says that it signed first parts
// from it. It returns how many verdicts differ from what the
// vectors say, and an error only if w does.
func Report(w io.Writer, vectors []Vector, schemes []dialect.Scheme, explain bool) (differing int, err error) {
	for _, v := range vectors {
		j := Judge(v, schemes)
		agreed := "ok"
		if j.Valid != v.Valid {
			agreed = "DIFFERS"
			differing++
		}
		if err := writeJudgement(w, agreed, v, j, explain); err != nil {
			return differing, err
		}
	}
	return differing, nil
}

func writeJudgement(w io.Writer, agreed string, v Vector, j Judgement, explain bool) error {
	line := fmt.Sprintf("%-7s  %s  valid\n", agreed, j.Name)
	if !j.Valid {
		line = fmt.Sprintf("%-7s  %s  refused  %s: %s\n", agreed, j.Name, j.Reason, j.Detail)
	}
	if explain {
		line += block("canonical request", j.CanonicalRequest, j) + difference(v.ClientCanonicalRequest, j.CanonicalRequest) +
			block("string to sign", j.StringToSign, j) + difference(v.ClientStringToSign, j.StringToSign)
	}
	_, err := io.WriteString(w, line)
	return err
}
