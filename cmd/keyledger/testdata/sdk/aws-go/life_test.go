package sdk

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"

	"github.com/keyledger/keyledger/cmd/keyledger/testdata/sdk/ledger"
)

// wants holds that err is the error with the code, or none.
func wants(t *testing.T, what string, err error, code string) {
	t.Helper()
	var api smithy.APIError
	if code == "" && err == nil || errors.As(err, &api) && api.ErrorCode() == code {
		return
	}
	t.Errorf("%s: got %v, want %q", what, err, code)
}

// TestLifeUnderAWS is a key's whole life under the preset aws: two keys a
// user, and deleted at once.
func TestLifeUnderAWS(t *testing.T) {
	a := open(t, "aws")
	ctx, client := t.Context(), a.iam(a.Key)

	who, err := a.sts(a.Key).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil || *who.Account != a.ID || *who.UserId != a.Root || *who.Arn != "arn:aws:iam::"+a.ID+":root" {
		t.Errorf("got the caller %+v, %v", who, err)
	}

	id, first := a.user("alice")
	second, err := client.CreateAccessKey(ctx, &iam.CreateAccessKeyInput{UserName: aws.String("alice")})
	if err != nil {
		t.Fatal(err)
	}
	k := second.AccessKey
	if *k.UserName != "alice" || k.Status != types.StatusTypeActive || len(*k.AccessKeyId) != 20 || len(*k.SecretAccessKey) != 40 || time.Since(*k.CreateDate).Abs() > time.Minute {
		t.Errorf("got the key %+v", *k)
	}
	_, err = client.CreateAccessKey(ctx, &iam.CreateAccessKeyInput{UserName: aws.String("alice")})
	wants(t, "a third key", err, "LimitExceeded")
	own := ledger.Pair{ID: *k.AccessKeyId, Secret: *k.SecretAccessKey}
	who, err = a.sts(own).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil || *who.UserId != id || *who.Arn != "arn:aws:iam::"+a.ID+":user/alice" {
		t.Errorf("got the caller %+v, %v", who, err)
	}

	a.lastUsed(t, client, own.ID, first.ID)
	a.turnOffAndOn(t, client, own)
	_, err = client.DeleteAccessKey(ctx, &iam.DeleteAccessKeyInput{UserName: aws.String("alice"), AccessKeyId: &own.ID})
	wants(t, "delete an active key", err, "")
	_, err = a.sts(own).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	wants(t, "a call signed by a deleted key", err, "InvalidClientTokenId")
	_, err = client.DeleteAccessKey(ctx, &iam.DeleteAccessKeyInput{UserName: aws.String("alice"), AccessKeyId: &own.ID})
	wants(t, "delete it again", err, "NoSuchEntity")
	if got := list(t, client, "alice"); len(got) != 1 || got[0] != first.ID {
		t.Errorf("got the keys %v, want only %s", got, first.ID)
	}
}

// lastUsed waits for the use of a key, of STS, and holds that another was never used.
func (a account) lastUsed(t *testing.T, client *iam.Client, used, never string) {
	t.Helper()
	ask := func(key string) *iam.GetAccessKeyLastUsedOutput {
		out, err := client.GetAccessKeyLastUsed(t.Context(), &iam.GetAccessKeyLastUsedInput{AccessKeyId: &key})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	a.Eventually("the last use", func() bool { return ask(used).AccessKeyLastUsed.LastUsedDate != nil })
	last := ask(used)
	if u := last.AccessKeyLastUsed; *last.UserName != "alice" || *u.ServiceName != "sts" || *u.Region != "us-east-1" || time.Since(*u.LastUsedDate).Abs() > time.Minute {
		t.Errorf("got the last use %+v by %s", *u, *last.UserName)
	}
	if u := ask(never).AccessKeyLastUsed; u.LastUsedDate != nil || *u.ServiceName != "N/A" || *u.Region != "N/A" {
		t.Errorf("a key that was never used: got %+v", *u)
	}
}

// turnOffAndOn makes alice's key inactive and active again.
func (a account) turnOffAndOn(t *testing.T, client *iam.Client, own ledger.Pair) {
	t.Helper()
	for _, c := range []struct {
		status types.StatusType
		code   string
	}{{types.StatusTypeInactive, "InvalidClientTokenId"}, {types.StatusTypeActive, ""}} {
		_, err := client.UpdateAccessKey(t.Context(), &iam.UpdateAccessKeyInput{UserName: aws.String("alice"), AccessKeyId: &own.ID, Status: c.status})
		wants(t, "make it "+string(c.status), err, "")
		_, err = a.sts(own).GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})
		wants(t, "a call signed by a key that is "+string(c.status), err, c.code)
		keys, err := client.ListAccessKeys(t.Context(), &iam.ListAccessKeysInput{UserName: aws.String("alice")})
		wants(t, "list", err, "")
		for _, k := range keys.AccessKeyMetadata {
			if *k.AccessKeyId == own.ID && k.Status != c.status {
				t.Errorf("the list says %s, want %s", k.Status, c.status)
			}
		}
	}
}

func list(t *testing.T, client *iam.Client, user string) []string {
	t.Helper()
	out, err := client.ListAccessKeys(t.Context(), &iam.ListAccessKeysInput{UserName: &user})
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, k := range out.AccessKeyMetadata {
		ids = append(ids, *k.AccessKeyId)
	}
	return ids
}

// TestLifeUnderStrict: a key must be inactive before it is deleted, and goes to
// the recycle bin, from which it comes back inactive.
func TestLifeUnderStrict(t *testing.T) {
	a := open(t, "strict")
	ctx := t.Context()
	_, own := a.user("bob")
	client := a.iam(own) // a user manages its own keys, unnamed
	_, err := client.DeleteAccessKey(ctx, &iam.DeleteAccessKeyInput{AccessKeyId: &own.ID})
	wants(t, "delete an active key", err, "DeleteConflict")
	other, err := client.CreateAccessKey(ctx, &iam.CreateAccessKeyInput{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.UpdateAccessKey(ctx, &iam.UpdateAccessKeyInput{AccessKeyId: other.AccessKey.AccessKeyId, Status: types.StatusTypeInactive})
	wants(t, "make the other one inactive", err, "")
	_, err = client.DeleteAccessKey(ctx, &iam.DeleteAccessKeyInput{AccessKeyId: other.AccessKey.AccessKeyId})
	wants(t, "delete an inactive key", err, "")
	if got := list(t, client, "bob"); len(got) != 1 {
		t.Errorf("got the keys %v: one in the recycle bin is not listed", got)
	}
	_, err = client.UpdateAccessKey(ctx, &iam.UpdateAccessKeyInput{AccessKeyId: other.AccessKey.AccessKeyId, Status: types.StatusTypeActive})
	wants(t, "make a deleted key active", err, "NoSuchEntity")

	a.Run("key", "restore", *other.AccessKey.AccessKeyId)
	_, err = client.UpdateAccessKey(ctx, &iam.UpdateAccessKeyInput{AccessKeyId: other.AccessKey.AccessKeyId, Status: types.StatusTypeActive})
	wants(t, "make a restored key active", err, "")
	_, err = a.sts(ledger.Pair{ID: *other.AccessKey.AccessKeyId, Secret: *other.AccessKey.SecretAccessKey}).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	wants(t, "a call signed by it, with its old secret", err, "")
}

// TestPages lists more keys than fit a page, in the SDK's own way.
func TestPages(t *testing.T) {
	a := open(t, "aws", "--override", "quota.max=5")
	client := a.iam(a.Key)
	_, first := a.user("alice")
	want := map[string]bool{first.ID: true}
	for range 4 {
		k, err := client.CreateAccessKey(t.Context(), &iam.CreateAccessKeyInput{UserName: aws.String("alice")})
		if err != nil {
			t.Fatal(err)
		}
		want[*k.AccessKey.AccessKeyId] = true
	}
	pages := iam.NewListAccessKeysPaginator(client, &iam.ListAccessKeysInput{UserName: aws.String("alice"), MaxItems: aws.Int32(2)})
	sizes := ""
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		sizes += string(rune('0' + len(page.AccessKeyMetadata)))
		for _, k := range page.AccessKeyMetadata {
			delete(want, *k.AccessKeyId)
		}
	}
	if sizes != "221" || len(want) > 0 {
		t.Errorf("got pages of %s and missed %v, want 221 and all", sizes, want)
	}
	_, err := client.ListAccessKeys(t.Context(), &iam.ListAccessKeysInput{UserName: aws.String("alice"), Marker: aws.String("nonsense")})
	if err == nil {
		t.Error("a marker that is none: got no error")
	}
}

// TestRefusals is the table of what AWS calls what is wrong.
func TestRefusals(t *testing.T) {
	l := ledger.Start(t)
	a, b := account{l.Open("aws")}, account{l.Open("obs")}
	_, alice := a.user("alice")
	_, foreign := b.user("carol")
	root := a.iam(a.Key)
	for what, c := range map[string]struct {
		client *iam.Client
		user   string
		key    string
		code   string
	}{
		"an unknown user":            {root, "nobody", "", "NoSuchEntity"},
		"another account's user":     {root, "carol", "", "NoSuchEntity"},
		"an unknown key":             {root, "alice", "KLAK0000000000000000", "NoSuchEntity"},
		"another account's key":      {root, "alice", foreign.ID, "NoSuchEntity"},
		"another user's key":         {root, "alice", a.Key.ID, "NoSuchEntity"},
		"somebody else, by a user":   {a.iam(alice), "root", "", "AccessDenied"},
		"nobody, by a user":          {a.iam(alice), "nobody", "", "AccessDenied"},
		"a wrong secret":             {a.iam(ledger.Pair{ID: alice.ID, Secret: alice.Secret + "x"}), "alice", "", "SignatureDoesNotMatch"},
		"an unknown key that signs":  {a.iam(ledger.Pair{ID: "KLAK0000000000000000", Secret: alice.Secret}), "alice", "", "InvalidClientTokenId"},
		"a clock ten minutes behind": {a.iam(alice, skewed(-10*time.Minute)), "alice", "", "SignatureDoesNotMatch"},
		"a clock ten minutes ahead":  {a.iam(alice, skewed(10*time.Minute)), "alice", "", "SignatureDoesNotMatch"},
		"a clock a minute behind":    {a.iam(alice, skewed(-time.Minute)), "alice", "", ""},
		"a user and its own name":    {a.iam(alice), "alice", "", ""},
	} {
		var err error
		if c.key == "" {
			_, err = c.client.ListAccessKeys(t.Context(), &iam.ListAccessKeysInput{UserName: &c.user})
		} else {
			_, err = c.client.UpdateAccessKey(t.Context(), &iam.UpdateAccessKeyInput{UserName: &c.user, AccessKeyId: &c.key, Status: types.StatusTypeInactive})
		}
		wants(t, what, err, c.code)
	}
}

// skewed signs with a clock that is off.
func skewed(by time.Duration) func(*iam.Options) {
	return func(o *iam.Options) { o.HTTPSignerV4 = offClock{v4.NewSigner(), by} }
}

type offClock struct {
	*v4.Signer
	by time.Duration
}

func (s offClock) SignHTTP(ctx context.Context, c aws.Credentials, r *http.Request, hash, service, region string, at time.Time, more ...func(*v4.SignerOptions)) error {
	return s.Signer.SignHTTP(ctx, c, r, hash, service, region, at.Add(s.by), more...)
}

// TestPresigned asks who somebody is with a URL that they have signed, as
// programs that check an identity do.
func TestPresigned(t *testing.T) {
	a := open(t, "aws")
	signed, err := sts.NewPresignClient(a.sts(a.Key)).PresignGetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})
	if err != nil {
		t.Fatal(err)
	}
	for what, c := range map[string]struct {
		url    string
		status int
	}{
		"as it was signed":         {signed.URL, http.StatusOK},
		"and again":                {signed.URL, http.StatusOK},
		"with another action":      {strings.Replace(signed.URL, "GetCallerIdentity", "CreateAccessKey", 1), http.StatusForbidden},
		"with a signature changed": {signed.URL[:len(signed.URL)-4] + "0000", http.StatusForbidden},
	} {
		req, err := http.NewRequestWithContext(t.Context(), signed.Method, c.url, nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if res.StatusCode != c.status || c.status == http.StatusOK != strings.Contains(string(body), "<Account>"+a.ID+"</Account>") {
			t.Errorf("%s: got %s %s", what, res.Status, body)
		}
	}
}

// losing loses the first answer on its way back.
type losing struct{ sent int }

func (l *losing) Do(r *http.Request) (*http.Response, error) {
	res, err := http.DefaultClient.Do(r)
	if l.sent++; err == nil && l.sent == 1 {
		_ = res.Body.Close()
		return nil, io.ErrUnexpectedEOF
	}
	return res, err
}

// TestRetriesDoNotActTwice: the SDK sends a request again under the same
// invocation ID when its answer was lost.
func TestRetriesDoNotActTwice(t *testing.T) {
	a := open(t, "aws")
	_, own := a.user("alice")
	lossy := func() (*iam.Client, *losing) {
		l := &losing{}
		return a.iam(own, func(o *iam.Options) { o.HTTPClient = l }), l
	}
	client, l := lossy()
	_, err := client.CreateAccessKey(t.Context(), &iam.CreateAccessKeyInput{})
	wants(t, "create, answered twice", err, "EntityAlreadyExists")
	keys := list(t, a.iam(own), "alice")
	if len(keys) != 2 || l.sent != 2 {
		t.Fatalf("got the keys %v after %d sendings, want one more than before after 2", keys, l.sent)
	}
	other := keys[0]
	if other == own.ID {
		other = keys[1]
	}
	client, l = lossy()
	_, err = client.UpdateAccessKey(t.Context(), &iam.UpdateAccessKeyInput{AccessKeyId: &other, Status: types.StatusTypeInactive})
	wants(t, "disable, answered twice", err, "")
	if l.sent != 2 {
		t.Errorf("got %d sendings, want 2", l.sent)
	}
	client, l = lossy()
	_, err = client.DeleteAccessKey(t.Context(), &iam.DeleteAccessKeyInput{AccessKeyId: &other})
	wants(t, "delete, answered twice", err, "")
	if l.sent != 2 {
		t.Errorf("got %d sendings, want 2", l.sent)
	}
	history := a.iam(own)
	if keys := list(t, history, "alice"); len(keys) != 1 {
		t.Errorf("got the keys %v, want one", keys)
	}
}
