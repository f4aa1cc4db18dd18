package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
)

// numbers is a server that lists the numbers below n, at most 1000 a page.
func numbers(n int, asked *[]string) reply { return counts(n, "%d", asked) }

// counts is one that lists something of each number below n.
func counts(n int, format string, asked *[]string) reply {
	return func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		*asked = append(*asked, q.Get("limit"))
		from, _ := strconv.Atoi(q.Get("cursor"))
		limit, _ := strconv.Atoi(q.Get("limit"))
		var p page
		for i := from; i < min(from+limit, n); i++ {
			p.Items = append(p.Items, json.RawMessage(fmt.Sprintf(format, i)))
		}
		if from+limit < n {
			p.NextCursor = strconv.Itoa(from + limit)
		}
		_ = json.NewEncoder(w).Encode(p)
	}
}

func TestListsFollowCursors(t *testing.T) {
	for name, c := range map[string]struct {
		paging paging
		n      int
		items  int
		first  string
		next   string
		asked  string
	}{
		"some":                 {paging{Limit: 100}, 2500, 100, "0", "100", "100"},
		"more than a page":     {paging{Limit: 1500}, 2500, 1500, "0", "1500", "1000 500"},
		"all":                  {paging{}, 2500, 2500, "0", "", "1000 1000 1000"},
		"on from a cursor":     {paging{Limit: 10, Cursor: "7"}, 2500, 10, "7", "17", "10"},
		"the end is nearer":    {paging{Limit: 100}, 5, 5, "0", "", "100"},
		"as many as there are": {paging{Limit: 5}, 5, 5, "0", "", "5"},
	} {
		var asked []string
		client, _ := against(t, numbers(c.n, &asked))
		got, err := c.paging.fetch(t.Context(), client, "/v1/keys", map[string][]string{"status": {"active"}})
		if err != nil || len(got.Items) != c.items || string(got.Items[0]) != c.first || got.NextCursor != c.next || strings.Join(asked, " ") != c.asked {
			t.Errorf("%s: got %d items from %s, next %q, after asking for %v, %v", name, len(got.Items), got.Items[0], got.NextCursor, asked, err)
		}
	}
}

func TestEmptyListsAreLists(t *testing.T) {
	var asked []string
	client, _ := against(t, numbers(0, &asked))
	got, err := (paging{Limit: 5}).fetch(t.Context(), client, "/v1/keys", nil)
	text, _ := json.Marshal(got)
	if err != nil || string(text) != `{"items":[]}` {
		t.Errorf("got %s, %v", text, err)
	}
	if _, err := (paging{Limit: -1}).fetch(t.Context(), client, "/v1/keys", nil); exitFor(err) != exitUsage {
		t.Errorf("a limit below 0: got %v", err)
	}
}
